//! Finding stores on what is plugged in, and showing them with their sessions.
//!
//! Follows the devices: whatever udev has seen anew is looked at by the probe, on a thread of its
//! own, because a dying stick can hold one for minutes. A look holds a shared lock on the device,
//! so that no job of ours changes the store between the look and its showing; while a job has the
//! store, the job shows what becomes of it. Nothing is written, but for one thing: see [`adopt`].

mod adopt;
mod judge;
mod look;
mod show;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tracing::{info, warn};
use wendy_sys::block::sectors_written;

use self::judge::Verdict;
use crate::{
    devices::{BlockFacts, Devices, Scene, Sighting},
    model::{DeviceId, Hub, World},
    patience::EVER_RARER,
    probe::Prober,
};

/// How long the start may be held up by the devices there are.
const FIRST_LOOKS: Duration = Duration::from_secs(2);

/// Whether media that casper made are given their marker when they are first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// Yes, where that is safe.
    On,
    /// Never write when looking.
    Off,
}

/// Follows the devices until the monitor of the devices is dropped.
#[derive(Debug)]
pub struct Discovery {
    thread: Option<JoinHandle<()>>,
}

impl Discovery {
    /// Starts looking at the devices there are and at each that comes. Returns when those there are
    /// have been looked at, so that the first to ask does not hear of an empty world; a slow one is
    /// waited for no longer than [`FIRST_LOOKS`].
    ///
    /// # Errors
    /// The thread could not be had.
    pub fn start(
        hub: Hub,
        devices: Devices,
        prober: Prober,
        adoption: Adoption,
    ) -> io::Result<Discovery> {
        let looker = Looker {
            hub,
            devices: devices.clone(),
            prober,
            adoption,
            looks: Arc::default(),
            rest: Arc::default(),
        };
        looker.follow(&devices.scene());
        looker.wait_for_rest(FIRST_LOOKS);
        let follow = move || {
            let mut seen = 0;
            while let Some(scene) = devices.after(seen) {
                seen = scene.sequence;
                looker.follow(&scene);
            }
        };
        let thread = thread::Builder::new()
            .name("stores".to_owned())
            .spawn(follow)?;
        Ok(Discovery {
            thread: Some(thread),
        })
    }

    /// Waits until the devices are no longer followed.
    pub fn join(mut self) {
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            warn!("the thread that follows stores had panicked");
        }
    }
}

/// What decides whether a device has to be looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outside {
    facts: BlockFacts,
    touched: u64,
    in_use: bool,
    /// Sectors ever written while nobody used it: somebody may have mounted it, written and
    /// unmounted it between two scenes.
    written: Option<u64>,
}

impl Outside {
    fn of(sighting: &Sighting) -> Self {
        let in_use = !sighting.device.in_use_by.is_empty();
        Self {
            facts: sighting.facts.clone(),
            touched: sighting.touched,
            in_use,
            written: if in_use {
                None
            } else {
                sectors_written(sighting.facts.devnum).ok()
            },
        }
    }
}

#[derive(Debug, Default)]
struct Looks {
    /// How each device was when it was last looked at.
    seen: BTreeMap<DeviceId, Outside>,
    /// Devices that could not be looked at, and in which scene.
    put_off: BTreeMap<DeviceId, u64>,
    /// Devices that are being looked at.
    under_way: BTreeSet<DeviceId>,
}

#[derive(Debug, Clone)]
struct Looker {
    hub: Hub,
    devices: Devices,
    prober: Prober,
    adoption: Adoption,
    looks: Arc<Mutex<Looks>>,
    /// Told whenever a look has ended.
    rest: Arc<Condvar>,
}

impl Looker {
    fn follow(&self, scene: &Scene) {
        self.forget_gone(scene);
        for (id, sighting) in &scene.devices {
            if self.begin(*id, sighting, scene) {
                let (looker, id) = (self.clone(), *id);
                let name = format!("look-{}", sighting.facts.name);
                if let Err(error) = thread::Builder::new()
                    .name(name)
                    .spawn(move || looker.look(id))
                {
                    warn!(%error, "no thread for looking at a device");
                    self.end(id);
                }
            }
        }
    }

    fn forget_gone(&self, scene: &Scene) {
        let is_there = |id: &DeviceId| scene.devices.contains_key(id);
        let mut looks = self.lock();
        looks.seen.retain(|id, _| is_there(id));
        looks.put_off.retain(|id, _| is_there(id));
        drop(looks);
        let world = self.hub.snapshot();
        if world.stores.values().any(|store| !is_there(&store.device)) {
            self.hub.update(|world| show::forget_gone(world, is_there));
        }
    }

    /// As [`Looker::begin`], for a device that is still put off.
    fn begin_again(&self, id: DeviceId) -> bool {
        if let Some(then) = self.lock().put_off.get_mut(&id) {
            *then = 0;
        }
        let scene = self.devices.scene();
        let sighting = scene.devices.get(&id);
        sighting.is_some_and(|sighting| self.begin(id, sighting, &scene))
    }

    /// Whether this device is to be looked at now, by one thread only.
    fn begin(&self, id: DeviceId, sighting: &Sighting, scene: &Scene) -> bool {
        let mut looks = self.lock();
        let outside = Outside::of(sighting);
        let is_put_off = looks
            .put_off
            .get(&id)
            .is_some_and(|then| *then < scene.sequence);
        let is_known = looks.seen.get(&id) == Some(&outside) && !is_put_off;
        if is_known || looks.under_way.contains(&id) {
            return false;
        }
        looks.put_off.remove(&id);
        looks.seen.insert(id, outside);
        looks.under_way.insert(id)
    }

    /// Looks, and tries again on what somebody has to himself.
    fn look(&self, id: DeviceId) {
        self.look_while_it_changes(id);
        for pause in EVER_RARER {
            if !self.lock().put_off.contains_key(&id) {
                return;
            }
            thread::sleep(Duration::from_secs(pause));
            if self.begin_again(id) {
                self.look_while_it_changes(id);
            }
        }
    }

    /// Looks until the device is as it was when the look began.
    fn look_while_it_changes(&self, id: DeviceId) {
        loop {
            let scene = self.devices.scene();
            if let Some(sighting) = scene.devices.get(&id) {
                self.look_once(id, sighting, &scene);
                self.hub.update(|world| note_examined(world, id));
            }
            self.end(id);
            let latest = self.devices.scene();
            match latest.devices.get(&id) {
                Some(sighting) if self.begin(id, sighting, &latest) => {}
                _ => return,
            }
        }
    }

    fn end(&self, id: DeviceId) {
        self.lock().under_way.remove(&id);
        self.rest.notify_all();
    }

    /// Waits until nothing is being looked at, not longer than `patience`.
    fn wait_for_rest(&self, patience: Duration) {
        let busy = |looks: &mut Looks| !looks.under_way.is_empty();
        let rested = self.rest.wait_timeout_while(self.lock(), patience, busy);
        if rested.is_ok_and(|(_, result)| result.timed_out()) {
            info!("a device takes long to look at and will be shown later");
        }
    }

    fn show(&self, id: DeviceId, verdict: &Verdict) {
        self.hub.update(|world| show::show(world, id, verdict));
    }

    fn lock(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is nothing to wait for any more. What somebody has to himself is looked into again when
/// something happens to it.
fn note_examined(world: &mut World, id: DeviceId) {
    if let Some(device) = world.devices.get_mut(&id) {
        device.examined = true;
    }
}

#[cfg(test)]
mod tests;
