//! A daemon that finds stores, and what it shows of them.

use std::{fs::File, path::PathBuf};

use wendy_store::Stack;
use wendyd::{
    devices::{Monitor, Running},
    model::{Hub, Store, StoreKey, World},
    probe::Prober,
    stores::discover::{Adoption, Discovery},
};

use crate::{
    common::{Stick, ensure_udev, eventually_in},
    content::base,
};

pub struct Daemon {
    pub hub: Hub,
    _monitor: Monitor,
    _turn: File,
}

/// A daemon that adopts must not see the media of other tests, in this program or another.
fn take_turn(adoption: Adoption) -> File {
    let path = std::env::temp_dir().join("wendy-discover-tests.lock");
    let turn = File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    match adoption {
        Adoption::On => turn.lock().unwrap(),
        Adoption::Off => turn.lock_shared().unwrap(),
    }
    turn
}

/// A daemon that watches the media of this machine.
pub fn daemon(adoption: Adoption) -> Daemon {
    let turn = take_turn(adoption);
    ensure_udev();
    let hub = Hub::new();
    hub.update(|world| {
        world.live.stack = Some(Stack::LiveBoot);
        world.live.base_image = base().to_string();
    });
    let (devices, monitor) = Monitor::start(hub.clone(), Running::default()).unwrap();
    let prober = Prober::new(PathBuf::from(env!("CARGO_BIN_EXE_wendy-probe")));
    Discovery::start(hub.clone(), devices, prober, adoption).unwrap();
    Daemon {
        hub,
        _monitor: monitor,
        _turn: turn,
    }
}

impl Daemon {
    pub fn eventually<T>(&self, what: &str, wanted: impl Fn(&World) -> Option<T>) -> T {
        eventually_in(&self.hub, what, wanted)
    }

    /// Waits for the store on a medium to be as `wanted`. It is known by the identity of the
    /// medium: until udev comes by, its node shows the one that was there before.
    pub fn store_on(&self, medium: &Stick, wanted: impl Fn(&Store) -> bool) -> (StoreKey, Store) {
        let what = format!("store on {} ({})", medium.node().display(), medium.id());
        let is_wanted = |(_, store): &(StoreKey, Store)| wanted(store);
        self.eventually(&what, |world| store_on(world, medium).filter(is_wanted))
    }
}

pub fn is_called(name: &'static str) -> impl Fn(&Store) -> bool {
    move |store| store.name == name
}

pub fn store_on(world: &World, medium: &Stick) -> Option<(StoreKey, Store)> {
    let key = world.devices.get(&medium.id())?.store?;
    Some((key, world.stores.get(&key)?.clone()))
}
