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
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
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
