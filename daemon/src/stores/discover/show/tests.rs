use super::*;
use crate::{model::Device, probe::Space};

const FIRST: DeviceId = DeviceId {
    diskseq: 1,
    partition: Some(1),
};
const SECOND: DeviceId = DeviceId {
    diskseq: 2,
    partition: Some(1),
};

fn world() -> World {
    let mut world = World::default();
    for id in [FIRST, SECOND] {
        world.devices.insert(id, Device::default());
    }
    world
}

fn store(id: Option<StoreId>) -> Verdict {
    Verdict::Store(Box::new(StoreSeen {
        id,
        name: "My stick".into(),
        kind: StoreKind::Filesystem,
        filesystem: "ext4".into(),
        space: Space::default(),
        writable: true,
        problem: "",
        default: None,
        sessions: Vec::new(),
    }))
}

#[test]
fn copies_of_one_medium_stay_apart_and_keep_their_keys() {
    let mut world = world();
    let id = StoreId::derived("x");
    show(&mut world, FIRST, &store(Some(id)));
    show(&mut world, SECOND, &store(Some(id)));
    let copy = StoreKey::new(format!("{id} on {SECOND}"));
    assert_eq!(world.devices[&FIRST].store, Some(StoreKey::new(id)));
    assert_eq!(world.devices[&SECOND].store, Some(copy));
    show(&mut world, FIRST, &store(Some(id)));
    assert_eq!(world.devices[&FIRST].store, Some(StoreKey::new(id)));
    show(&mut world, FIRST, &Verdict::Nothing);
    show(&mut world, SECOND, &store(Some(id)));
    assert_eq!(world.devices[&SECOND].store, Some(copy));
    assert_eq!(world.stores.len(), 1);
}

#[test]
fn what_is_gone_leaves_nothing() {
    let mut world = world();
    show(&mut world, FIRST, &store(None));
    show(&mut world, SECOND, &Verdict::Foreign("somebody's"));
    assert_eq!(world.stores[&StoreKey::new(SECOND)].foreign, "somebody's");
    assert!(!world.stores[&StoreKey::new(SECOND)].writable);
    world.devices.remove(&FIRST);
    forget_gone(&mut world, |id| *id != FIRST);
    assert_eq!(world.stores.len(), 1);
    show(&mut world, FIRST, &store(None));
    assert_eq!(world.stores.len(), 1, "a look that ends late shows nothing");
    show(&mut world, SECOND, &Verdict::Nothing);
    assert!(world.stores.is_empty() && world.devices[&SECOND].store.is_none());
}

#[test]
fn a_stick_that_is_back_already_is_no_copy_of_itself() {
    let mut world = world();
    let id = StoreId::derived("x");
    show(&mut world, FIRST, &store(Some(id)));
    world.devices.remove(&FIRST);
    show(&mut world, SECOND, &store(Some(id)));
    forget_gone(&mut world, |id| *id != FIRST);
    assert_eq!(world.stores[&StoreKey::new(id)].device, SECOND);
    assert_eq!(world.devices[&SECOND].store, Some(StoreKey::new(id)));
}
