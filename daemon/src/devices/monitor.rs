//! The thread that watches: asleep until udev, a mount or a swap changes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek},
    os::fd::{AsFd, OwnedFd},
    sync::mpsc,
    thread::JoinHandle,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
};
use tracing::{debug, warn};
use udev::{EventType, MonitorBuilder, MonitorSocket};
use wendy_sys::{DevNum, mountinfo};

use super::{
    BlockFacts, Devices, Running,
    scan::{self, Surroundings},
};
use crate::model::Hub;

const SWAPS: &str = "/proc/swaps";

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

/// The mount table changes before a filesystem lets go of its devices. btrfs tells of a device that
/// it holds nowhere but in sysfs, which makes no event.
const LINGERING: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

struct Watch {
    events: MonitorSocket,
    mounts: mountinfo::Watch,
    swaps: File,
    facts: Vec<BlockFacts>,
    around: Surroundings,
    touched: BTreeMap<DevNum, u64>,
    sequence: u64,
    /// Whether to look once more after [`LINGERING`].
    lingering: bool,
    hub: Hub,
    devices: Devices,
}

impl Watch {
    /// Listens first and looks then, so that nothing falls between.
    fn open(hub: Hub, running: Running, devices: Devices) -> io::Result<Self> {
        let mut watch = Self {
            events: MonitorBuilder::new()?.match_subsystem("block")?.listen()?,
            mounts: mountinfo::Watch::open().map_err(io::Error::other)?,
            swaps: File::open(SWAPS)?,
            facts: Vec::new(),
            around: Surroundings {
                running,
                ..Surroundings::default()
            },
            touched: BTreeMap::new(),
            sequence: 0,
            lingering: false,
            hub,
            devices,
        };
        watch.facts = scan::devices()?;
        watch.read_tables()?;
        watch.show();
        Ok(watch)
    }

    fn run(&mut self, stop: &OwnedFd) {
        loop {
            match self.sleep(stop) {
                Ok(Woken { stop: true, .. }) => return,
                Ok(woken) => {
                    if let Err(error) = self.look_again(woken) {
                        warn!(%error, "the devices could not be looked at");
                    }
                }
                Err(error) => {
                    warn!(%error, "devices are no longer watched");
                    return;
                }
            }
        }
    }

    /// Waits without a timeout, but for one look after a btrfs may have been unmounted: an idle
    /// daemon does not wake.
    fn sleep(&self, stop: &OwnedFd) -> Result<Woken, Errno> {
        let mut fds = [
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.events.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.mounts.as_fd(), PollFlags::PRI),
            PollFd::from_borrowed_fd(self.swaps.as_fd(), PollFlags::PRI),
        ];
        let timeout = self.lingering.then_some(&LINGERING);
        rustix::io::retry_on_intr(|| poll(&mut fds, timeout))?;
        let woke = |index: usize| !fds[index].revents().is_empty();
        Ok(Woken {
            stop: woke(0),
            devices: woke(1),
            tables: woke(2) || woke(3),
        })
    }

    fn look_again(&mut self, woken: Woken) -> io::Result<()> {
        if woken.devices {
            self.take_events();
        }
        if woken.tables {
            self.read_tables()?;
        }
        let has_btrfs = self.facts.iter().any(|it| it.content.fs_type == "btrfs");
        self.lingering = woken.tables && has_btrfs;
        if woken.devices || has_btrfs {
            self.facts = scan::devices()?;
        }
        self.show();
        Ok(())
    }

    fn take_events(&mut self) {
        for event in self.events.iter() {
            let Some(devnum) = event.devnum().map(DevNum::new) else {
                continue;
            };
            debug!(device = ?event.sysname(), event = %event.event_type(), "udev");
            match event.event_type() {
                EventType::Remove => drop(self.touched.remove(&devnum)),
                _ => *self.touched.entry(devnum).or_default() += 1,
            }
        }
    }

    /// Reading a table also takes the news that it changed.
    fn read_tables(&mut self) -> io::Result<()> {
        self.around.mounts = self.mounts.read().map_err(io::Error::other)?;
        let mut table = String::new();
        self.swaps.rewind()?;
        self.swaps.read_to_string(&mut table)?;
        self.around.swaps = scan::swaps(&table);
        Ok(())
    }

    fn show(&mut self) {
        self.sequence += 1;
        let scene = scan::compose(
            &self.facts,
            self.around.users(),
            &self.touched,
            self.sequence,
        );
        self.hub
            .update(|world| scan::update(&mut world.devices, &scene));
        self.devices.show(scene);
    }
}

struct Woken {
    stop: bool,
    devices: bool,
    tables: bool,
}
