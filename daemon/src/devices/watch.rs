//! What the watching thread does: it sleeps until udev, the mount table or the swap table says that
//! something changed, looks, and shows what it saw.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use tracing::warn;
use wendy_sys::{DevNum, mountinfo};

use super::{
    BlockFacts, Devices, Running,
    events::{Events, News},
    scan::{self, Surroundings},
};
use crate::{model::Hub, patience::EVER_RARER};

const SWAPS: &str = "/proc/swaps";

pub struct Watch {
    events: Events,
    mounts: mountinfo::Watch,
    swaps: File,
    facts: Vec<BlockFacts>,
    around: Surroundings,
    touched: BTreeMap<DevNum, u64>,
    sequence: u64,
    /// Which of [`EVER_RARER`] is waited for, if any: the mount table changes before a filesystem lets
    /// go of its devices, and btrfs tells of a device that it holds nowhere but in sysfs.
    lingering: Option<usize>,
    hub: Hub,
    devices: Devices,
}

impl Watch {
    /// Listens first and looks then, so that nothing falls between.
    pub fn open(hub: Hub, running: Running, devices: Devices) -> io::Result<Self> {
        let mut watch = Self {
            events: Events::listen()?,
            mounts: mountinfo::Watch::open().map_err(io::Error::other)?,
            swaps: File::open(SWAPS)?,
            facts: Vec::new(),
            around: Surroundings {
                running,
                ..Surroundings::default()
            },
            touched: BTreeMap::new(),
            sequence: 0,
            lingering: None,
            hub,
            devices,
        };
        watch.facts = scan::devices()?;
        watch.read_tables()?;
        watch.show();
        Ok(watch)
    }

    /// Watches until `stop` can be read.
    pub fn run(&mut self, stop: &OwnedFd) {
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

    /// Waits without a timeout, but for a while after a btrfs may have been unmounted: an idle daemon
    /// does not wake.
    fn sleep(&self, stop: &OwnedFd) -> Result<Woken, Errno> {
        let mut fds = [
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.events.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.mounts.as_fd(), PollFlags::PRI),
            PollFd::from_borrowed_fd(self.swaps.as_fd(), PollFlags::PRI),
        ];
        let pause = self.lingering.and_then(|round| EVER_RARER.get(round));
        let pause = pause.map(|seconds| Duration::from_secs(*seconds));
        let timeout = pause.and_then(|pause| Timespec::try_from(pause).ok());
        rustix::io::retry_on_intr(|| poll(&mut fds, timeout.as_ref()))?;
        let woke = |index: usize| !fds[index].revents().is_empty();
        Ok(Woken {
            stop: woke(0),
            devices: woke(1),
            tables: woke(2) || woke(3),
        })
    }

    fn look_again(&mut self, woken: Woken) -> io::Result<()> {
        if woken.tables {
            self.read_tables()?;
        }
        let news = if woken.devices {
            self.events.take()?
        } else {
            News::default()
        };
        if news.lost {
            self.facts = scan::devices()?;
        } else {
            let told = news.touched.iter().chain(&news.gone).copied().collect();
            scan::refresh(&mut self.facts, &told);
        }
        self.note(&news);
        self.linger(woken.tables);
        self.show();
        Ok(())
    }

    fn linger(&mut self, anew: bool) {
        let is_held = self.facts.iter().any(|facts| facts.in_mounted_btrfs);
        self.lingering = match self.lingering {
            _ if !is_held => None,
            _ if anew => Some(0),
            round => round.map(|round| round + 1),
        };
    }

    /// Whatever may have another content now counts as touched.
    fn note(&mut self, news: &News) {
        for devnum in &news.gone {
            self.touched.remove(devnum);
        }
        let all = self.facts.iter().map(|facts| &facts.devnum);
        let all = all.filter(|_| news.lost);
        for devnum in news.touched.iter().chain(all) {
            *self.touched.entry(*devnum).or_default() += 1;
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

#[cfg(test)]
mod tests;
