use super::*;
use crate::{
    model::{Device, SessionKey},
    probe::Space,
    stores::discover::judge::SessionFound,
};
use wendy_store::{BaseImage, Name, SessionId, SessionRecord, Stack};

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
        problem: None,
        default: None,
        sessions: Vec::new(),
    }))
}

fn store_with(store_id: StoreId, session: SessionId) -> Verdict {
    let (name, base) = (Name::new("Work").unwrap(), BaseImage::from_layers(&[]));
    let record = SessionRecord::new(session, name, Stack::Casper, base, 0);
    let Verdict::Store(mut seen) = store(Some(store_id)) else {
        unreachable!()
    };
    seen.default = Some(session);
    seen.sessions = vec![SessionFound {
        record,
        saved: None,
        kernel_parameters: String::new(),
    }];
    Verdict::Store(seen)
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

#[test]
fn a_copied_session_takes_nothing_from_the_one_that_was_there() {
    let mut world = world();
    let id = SessionId::random();
    let (plain, copy) = (
        SessionKey::new(id),
        SessionKey::new(format!("{id} on {SECOND}")),
    );
    let (first, second) = (StoreId::derived("x"), StoreId::derived("y"));
    show(&mut world, FIRST, &store_with(first, id));
    show(&mut world, SECOND, &store_with(second, id));
    let holders =
        |world: &World| [plain, copy].map(|key| world.sessions.get(&key).map(|it| it.store));
    let (first_key, second_key) = (StoreKey::new(first), StoreKey::new(second));
    assert_eq!(holders(&world), [Some(first_key), Some(second_key)]);
    assert_eq!(world.stores[&second_key].default_session, Some(copy));
    show(&mut world, FIRST, &store_with(first, id));
    assert_eq!(holders(&world), [Some(first_key), Some(second_key)]);

    let mut unplugged = world.clone();
    unplugged.devices.remove(&SECOND);
    forget_gone(&mut unplugged, |id| *id != SECOND);
    assert_eq!(holders(&unplugged), [Some(first_key), None]);

    world.devices.remove(&FIRST);
    forget_gone(&mut world, |id| *id != FIRST);
    show(&mut world, SECOND, &store_with(second, id));
    assert_eq!(holders(&world), [None, Some(second_key)], "its name stays");
}
