//! The thread that watches.

use std::{io, os::fd::OwnedFd, sync::mpsc, thread::JoinHandle};

use rustix::event::{EventfdFlags, eventfd};
use tracing::warn;

use super::{Devices, Running, watch::Watch};
use crate::model::Hub;

/// Keeps the watching thread alive; dropping it ends the thread.
#[derive(Debug)]
pub struct Monitor {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Starts watching. When this returns, the world holds every device that is there now.
    ///
    /// # Errors
    /// udev's socket, the tables in /proc or the thread could not be had.
    pub fn start(hub: Hub, running: Running) -> io::Result<(Devices, Monitor)> {
        let devices = Devices::default();
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let stopped = stop.try_clone()?;
        let (ready, first_look) = mpsc::channel();
        let shown = devices.clone();
        // libudev's objects must not leave the thread that made them, so it makes them itself.
        let work = move || {
            match Watch::open(hub, running, shown.clone()) {
                Ok(mut watch) => {
                    let _ = ready.send(Ok(()));
                    watch.run(&stopped);
                }
                Err(error) => drop(ready.send(Err(error))),
            }
            shown.stop();
        };
        let thread = std::thread::Builder::new()
            .name("devices".to_owned())
            .spawn(work)?;
        first_look.recv().map_err(io::Error::other)??;
        Ok((
            devices,
            Monitor {
                stop,
                thread: Some(thread),
            },
        ))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // The counter of an eventfd takes one more: this cannot fail.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            warn!("the thread that watches devices had panicked");
        }
    }
}
