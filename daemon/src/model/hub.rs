//! Where the [`World`] lives: written by any thread, read and awaited by the bus.

use std::sync::Arc;

use tokio::sync::watch;

use super::World;

/// The one shared copy of the world. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    world: Arc<watch::Sender<Arc<World>>>,
}

impl Hub {
    /// A hub that knows nothing yet.
    pub fn new() -> Hub {
        Hub {
            world: Arc::new(watch::Sender::new(Arc::default())),
        }
    }

    /// Changes the world, from any thread. Whoever waits is woken only if something really changed.
    ///
    /// The closure must be quick: it runs under the hub's lock.
    pub fn update(&self, change: impl FnOnce(&mut World)) {
        self.world.send_if_modified(|shared| {
            let mut world = World::clone(shared);
            change(&mut world);
            let changed = world != **shared;
            if changed {
                *shared = Arc::new(world);
            }
            changed
        });
    }

    /// The world as it is now.
    pub fn snapshot(&self) -> Arc<World> {
        self.world.borrow().clone()
    }

    /// Starts watching; everything up to now counts as unseen.
    pub fn watch(&self) -> Watcher {
        let mut receiver = self.world.subscribe();
        receiver.mark_changed();
        Watcher { receiver }
    }
}

impl Default for Hub {
    fn default() -> Hub {
        Hub::new()
    }
}

/// Waits for changes of the world.
#[derive(Debug)]
pub struct Watcher {
    receiver: watch::Receiver<Arc<World>>,
}

impl Watcher {
    /// The next world not seen yet; changes in between are merged. `None` once the hub is gone.
    ///
    /// Safe to cancel: nothing is lost.
    pub async fn changed(&mut self) -> Option<Arc<World>> {
        self.receiver.changed().await.ok()?;
        Some(self.receiver.borrow_and_update().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Device, DeviceId};

    #[tokio::test]
    async fn a_watcher_sees_the_start_and_then_real_changes_only() {
        let hub = Hub::new();
        let mut watcher = hub.watch();
        assert_eq!(watcher.changed().await.unwrap().devices.len(), 0);
        hub.update(|_| {});
        assert!(!watcher.receiver.has_changed().unwrap());
        hub.update(|world| {
            world.devices.insert(DeviceId::disk(1), Device::default());
        });
        assert_eq!(watcher.changed().await.unwrap().devices.len(), 1);
    }

    #[tokio::test]
    async fn a_watcher_ends_with_the_hub() {
        let hub = Hub::new();
        let mut watcher = hub.watch();
        watcher.changed().await;
        drop(hub);
        assert_eq!(watcher.changed().await, None);
    }
}
