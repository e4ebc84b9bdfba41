//! Which block devices there are, what they are, and who uses them.
//!
//! One thread sleeps until udev, the mount table or the swap table says that something changed;
//! then what changed is looked at again and the [`World`](crate::model::World) updated. Events only
//! say where to look: what is told to others is always read anew, so a reordered event cannot leave a
//! wrong picture behind, and where events were lost, everything is read. Nothing in here writes to a
//! device, decides who may, or keeps a timer.

mod classify;
mod events;
mod facts;
mod monitor;
mod scan;
mod standing;
mod text;
mod usage;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use wendy_sys::DevNum;

use crate::model::{Device, DeviceId};

pub use facts::{BlockFacts, Content};
pub use monitor::Monitor;
pub use text::shown;

/// What the running system needs; its devices are never offered for anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// The medium it was started from.
    pub boot_medium: Vec<DevNum>,
    /// What carries its layers: image files, the upper layer, snapshot stores.
    pub system: Vec<DevNum>,
}

/// The block devices at one instant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scene {
    /// Counts the looks; a later scene has a higher number.
    pub sequence: u64,
    /// Devices that udev is done with, by id.
    pub devices: BTreeMap<DeviceId, Sighting>,
    /// Every disk the kernel knows, by sequence number, also those udev still looks at.
    pub disks: BTreeSet<u64>,
}

/// One device as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// What the kernel and udev say of it.
    pub facts: BlockFacts,
    /// What others are told.
    pub device: Device,
    /// Counts udev's events for it: a higher number means that its content may be another.
    pub touched: u64,
}

/// Why waiting for a device came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// Its disk was unplugged.
    #[error("device {0} was unplugged: plug it in and start again")]
    Gone(DeviceId),
    /// udev did not see what was waited for.
    #[error("device {0} did not settle in time: unplug it, plug it in and look again")]
    TimedOut(DeviceId),
}

/// The latest scene, and the wait for the next. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Stage {
    scene: Arc<Scene>,
    stopped: bool,
}

impl Devices {
    /// The latest scene.
    pub fn scene(&self) -> Arc<Scene> {
        self.lock().scene.clone()
    }

    /// Waits for a scene later than `seen`; `None` once no more will come.
    pub fn after(&self, seen: u64) -> Option<Arc<Scene>> {
        let mut stage = self.lock();
        while stage.scene.sequence <= seen && !stage.stopped {
            stage = self
                .shared
                .changed
                .wait(stage)
                .unwrap_or_else(PoisonError::into_inner);
        }
        (stage.scene.sequence > seen).then(|| stage.scene.clone())
    }

    /// Waits until udev has seen `wanted` on a device: after partitioning, for its partition to
    /// appear; after making a filesystem, for its new UUID.
    ///
    /// # Errors
    /// [`Unsettled`], and nothing is known about the device then.
    pub fn settled(
        &self,
        id: DeviceId,
        wanted: impl Fn(&Device) -> bool,
        timeout: Duration,
    ) -> Result<Device, Unsettled> {
        let deadline = Instant::now() + timeout;
        let mut stage = self.lock();
        loop {
            if !stage.scene.disks.contains(&id.diskseq) {
                return Err(Unsettled::Gone(id));
            }
            match stage.scene.devices.get(&id) {
                Some(sighting) if wanted(&sighting.device) => return Ok(sighting.device.clone()),
                _ => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || stage.stopped {
                return Err(Unsettled::TimedOut(id));
            }
            let waited = self.shared.changed.wait_timeout(stage, left);
            stage = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether devices are still watched; at the end of the daemon they are not.
    pub fn is_watched(&self) -> bool {
        !self.lock().stopped
    }

    fn show(&self, scene: Scene) {
        self.lock().scene = Arc::new(scene);
        self.shared.changed.notify_all();
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.shared.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.shared
            .stage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
