//! A stick that is pulled while its home is in use, and the same one coming back.
//!
//! Until it is back everything that needs it fails with `EIO`. Then all that was synced is there, and
//! files can be opened again.

use super::in_use::InUse;
use super::look::{self, Held};
use super::place::Place;
use super::sticks::{Stick, shown_path};
use super::{check, lower};
use crate::medium::directory::DirectoryMedium;
use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use udev::{Event, EventType, MonitorBuilder, MonitorSocket};
use wendy_sys::DevNum;

/// A home in use and the stick it is on.
#[derive(Debug)]
pub struct Watched<H> {
    /// The home.
    pub home: H,
    /// The stick, as it was plugged in first.
    pub stick: Stick,
    /// What the stick must hold when it comes back.
    pub held: Held,
    /// Where it is mounted.
    pub place: Arc<Place>,
    /// Whether it may come back.
    pub returns: Arc<Returns>,
}

/// The returns of a stick, one after the other until they are over. What repairs it must not be cut short
/// because the home has ended meanwhile.
#[derive(Debug, Default)]
pub struct Returns {
    over: Mutex<bool>,
}

impl Returns {
    /// Waits for the end of one that has begun; no other begins after that.
    pub fn end(&self) {
        *self.over() = true;
    }

    /// One begins, and lasts until the result is dropped; `None` if they are over.
    fn begin(&self) -> Option<MutexGuard<'_, bool>> {
        Some(self.over()).filter(|over| !**over)
    }

    fn over(&self) -> MutexGuard<'_, bool> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of the devices that come and go is the stick.
#[derive(Debug)]
struct Seen {
    present: Option<DevNum>,
    /// Plugged in since it is away, and of no use.
    refused: Vec<DevNum>,
}

/// Watches from now on, until the process ends.
///
/// # Errors
/// Those of starting a thread.
pub fn start<H: InUse>(watched: Watched<H>) -> io::Result<()> {
    let work = move || {
        // libudev's objects must not leave the thread that made them.
        if let Err(error) = watched.run() {
            tracing::error!(%error, "the stick is no longer watched");
        }
    };
    thread::Builder::new()
        .name("watch".into())
        .spawn(work)
        .map(drop)
}

impl<H: InUse> Watched<H> {
    fn run(&self) -> io::Result<()> {
        let events = MonitorBuilder::new()?.match_subsystem("block")?.listen()?;
        let mut seen = Seen {
            present: Some(self.stick.devnum),
            refused: Vec::new(),
        };
        loop {
            wait(&events)?;
            for event in events.iter() {
                self.follow(&mut seen, &event);
            }
        }
    }

    fn follow(&self, seen: &mut Seen, event: &Event) {
        let (kind, device) = (event.event_type(), event.devnum().map(DevNum::new));
        if matches!(kind, EventType::Add | EventType::Remove) {
            seen.refused.retain(|refused| Some(*refused) != device);
        }
        match kind {
            EventType::Remove if seen.present.is_some() && device == seen.present => {
                self.pulled();
                seen.present = None;
            }
            EventType::Add | EventType::Change if seen.present.is_none() => {
                self.look_at(seen, event);
            }
            _ => {}
        }
    }

    /// Whether it is the stick. What was refused stays so until it is plugged in again: udev tells of a change
    /// whenever somebody who could write closes it, as the check of an ext filesystem does.
    fn look_at(&self, seen: &mut Seen, event: &Event) {
        let Some(stick) = Stick::from_udev(event).filter(|stick| self.is_same(stick)) else {
            return;
        };
        if seen.refused.contains(&stick.devnum) {
            return;
        }
        match self.returned(&stick) {
            Ok(()) => seen.present = Some(stick.devnum),
            Err(why) => {
                self.refuse(&stick, &why);
                seen.refused.push(stick.devnum);
            }
        }
    }

    fn is_same(&self, stick: &Stick) -> bool {
        (stick.filesystem, &stick.uuid) == (self.stick.filesystem, &self.stick.uuid)
    }

    fn pulled(&self) {
        self.home.pulled();
        self.tell_logins(|place| place.note_pulled(""));
        tracing::warn!(stick = %self.stick.name, "pulled while in use: plug it in again to go on");
        if let Err(error) = lower::detach(&self.place) {
            tracing::error!(%error, "cannot unmount what was pulled");
        }
    }

    fn returned(&self, stick: &Stick) -> anyhow::Result<()> {
        let _begun = self.returns.begin().context("the home is let go")?;
        if let Some(mount) = stick.mounts().first() {
            anyhow::bail!(
                "it is mounted at {}: unmount it and plug it in again",
                shown_path(&mount.mount_point)
            );
        }
        check::check(stick)?;
        let medium = lower::mount(stick, &self.place)?;
        let resumed = self.resume(medium);
        if resumed.is_err() {
            lower::detach(&self.place)?;
        }
        resumed?;
        self.tell_logins(Place::note_present);
        tracing::info!(stick = %stick.name, "back: the home goes on");
        Ok(())
    }

    fn refuse(&self, stick: &Stick, why: &anyhow::Error) {
        tracing::error!(stick = %stick.name, error = %why, "it came back but cannot be used");
        self.tell_logins(|place| place.note_pulled(&format!("{why:#}")));
    }

    fn tell_logins(&self, note: impl FnOnce(&Place) -> wendy_sys::Result<()>) {
        if let Err(error) = note(&self.place) {
            tracing::warn!(%error, "logins will not be told where the stick is");
        }
    }

    fn resume(&self, medium: DirectoryMedium) -> anyhow::Result<()> {
        let content = look::content(&medium).map_err(anyhow::Error::msg)?;
        anyhow::ensure!(
            self.held.is(&content),
            "nothing on it tells that it is the same one"
        );
        medium.lock()?;
        self.home.resume(medium)
    }
}

fn wait(events: &MonitorSocket) -> io::Result<()> {
    let mut fds = [PollFd::new(events, PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut fds, None))?;
    Ok(())
}
