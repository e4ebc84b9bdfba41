//! Stores found on real media, with the real udev and the real probe program.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

mod adoption;
#[path = "../common/mod.rs"]
mod common;

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use common::{Image, Mounted, Stick, ensure_udev, eventually_in};
use rustix::fs::{FlockOperation, flock};
use wendy_store::{
    BaseImage, Consistency, Generation, GenerationFacts, GenerationRecord, Name, SessionId,
    SessionRecord, Stack, StoreId, StoreRecord, layout,
};
use wendyd::{
    devices::{Monitor, Running},
    model::{Hub, Problem, SessionKey, SessionState, Store, StoreKey, StoreKind, World},
    probe::Prober,
    stores::discover::{Adoption, Discovery},
};

struct Daemon {
    hub: Hub,
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

fn daemon(adoption: Adoption) -> Daemon {
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
    fn eventually<T>(&self, what: &str, wanted: impl Fn(&World) -> Option<T>) -> T {
        eventually_in(&self.hub, what, wanted)
    }

    /// Waits for the store on a medium to be as `wanted`. It is known by the identity of the
    /// medium: until udev comes by, its node shows the one that was there before.
    fn store_on(&self, medium: &Stick, wanted: impl Fn(&Store) -> bool) -> (StoreKey, Store) {
        let what = format!("store on {} ({})", medium.node().display(), medium.id());
        let is_wanted = |(_, store): &(StoreKey, Store)| wanted(store);
        self.eventually(&what, |world| store_on(world, medium).filter(is_wanted))
    }
}

fn is_called(name: &'static str) -> impl Fn(&Store) -> bool {
    move |store| store.name == name
}

fn store_on(world: &World, medium: &Stick) -> Option<(StoreKey, Store)> {
    let key = world.devices.get(&medium.id())?.store?;
    Some((key, world.stores.get(&key)?.clone()))
}

fn base() -> BaseImage {
    BaseImage::from_layers(&[])
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn write(path: impl AsRef<Path>, bytes: Vec<u8>) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn store_tree(root: &Path, id: StoreId, default: SessionId) {
    let record = StoreRecord::new(id, name("My stick"), 1);
    write(root.join(layout::MARKER), record.render().unwrap());
    session_tree(root, default, Some(3));
    symlink(
        layout::default_target(Some(default)),
        root.join(layout::DEFAULT),
    )
    .unwrap();
}

fn session_tree(root: &Path, id: SessionId, generation: Option<u32>) {
    let record = SessionRecord::new(id, name("Biofuel report"), Stack::LiveBoot, base(), 17);
    write(
        root.join(layout::session_record(id)),
        record.render().unwrap(),
    );
    let Some(number) = generation.and_then(Generation::new) else {
        return;
    };
    let facts = GenerationFacts {
        size: 500,
        files: 20,
        entries: 30,
        kernel: "6.12".into(),
        consistency: Consistency::Settled,
    };
    let record = GenerationRecord::new(number, 18, facts);
    write(
        root.join(layout::generation_record(id, number)),
        record.render().unwrap(),
    );
    let directory = root.join(layout::generation_dir(id, number));
    fs::create_dir(directory.join(layout::UPPER)).unwrap();
    let current = root.join(layout::session_dir(id)).join(layout::CURRENT);
    symlink(layout::current_target(number), current).unwrap();
}

#[test]
fn a_store_comes_with_its_sessions_and_goes() {
    let daemon = daemon(Adoption::Off);
    let (id, session, begun) = (StoreId::random(), SessionId::random(), SessionId::random());
    let medium = Stick::ext4("writable", |root| {
        store_tree(root, id, session);
        session_tree(root, begun, None);
    });
    let (key, store) = daemon.store_on(&medium, is_called("My stick"));
    assert_eq!((key, store.name.as_str()), (StoreKey::new(id), "My stick"));
    assert_eq!(
        (store.kind, store.filesystem.as_str()),
        (StoreKind::Filesystem, "ext4")
    );
    assert_eq!(
        (store.writable, store.problem, store.foreign.as_str()),
        (true, None, "")
    );
    assert_eq!(store.default_session, Some(SessionKey::new(session)));
    assert!(store.free > 0 && store.free < store.size);
    let world = daemon.hub.snapshot();
    let found = &world.sessions[&SessionKey::new(session)];
    assert_eq!((found.name.as_str(), found.store), ("Biofuel report", key));
    assert_eq!((found.generation, found.size, found.files), (3, 500, 20));
    assert_eq!(
        (found.created, found.saved, found.state),
        (17, 18, SessionState::Complete)
    );
    assert_eq!(
        (found.compatible, found.kernel_parameters.as_str()),
        (true, "persistence")
    );
    assert_eq!(
        world.sessions[&SessionKey::new(begun)].state,
        SessionState::Incomplete
    );
    drop(medium);
    daemon.eventually("end", |world| {
        let is_left =
            world.stores.contains_key(&key) || world.sessions.values().any(|s| s.store == key);
        (!is_left).then_some(())
    });
}

#[test]
fn two_copies_of_one_medium_are_two_stores() {
    let daemon = daemon(Adoption::Off);
    let (id, session) = (StoreId::random(), SessionId::random());
    let first = Stick::ext4("writable", |root| store_tree(root, id, session));
    let (first_key, _) = daemon.store_on(&first, is_called("My stick"));
    let second = Stick::plugged(Image::copy_of(first.image()));
    let (copy_key, copy) = daemon.store_on(&second, is_called("My stick"));
    assert_eq!(first_key, StoreKey::new(id));
    assert_ne!(copy_key, first_key);
    assert_ne!(copy.default_session, Some(SessionKey::new(session)));
    assert!(
        daemon
            .hub
            .snapshot()
            .sessions
            .contains_key(&copy.default_session.unwrap())
    );
}

#[test]
fn what_was_written_is_seen_after_the_device_is_closed() {
    let daemon = daemon(Adoption::Off);
    let (id, session) = (StoreId::random(), SessionId::random());
    let medium = Stick::ext4("writable", |root| store_tree(root, id, session));
    daemon.store_on(&medium, is_called("My stick"));
    let later = SessionId::random();
    let mounted = Mounted::new(medium.node(), "ext4");
    session_tree(mounted.path(), later, Some(1));
    drop(mounted);
    daemon.eventually("later session", |world| {
        world.sessions.get(&SessionKey::new(later)).cloned()
    });
}

/// Nothing happens to a device when a lock on it goes.
#[test]
fn what_somebody_had_to_himself_is_looked_at_when_he_lets_go() {
    let medium = Stick::ext4("writable", |root| {
        store_tree(root, StoreId::random(), SessionId::random());
    });
    daemon(Adoption::Off).store_on(&medium, is_called("My stick"));
    let lock = File::open(medium.node()).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let daemon = daemon(Adoption::Off);
    let examined = |world: &World| world.devices.get(&medium.id())?.examined.then_some(());
    daemon.eventually("locked medium", examined);
    assert!(store_on(&daemon.hub.snapshot(), &medium).is_none());
    drop(lock);
    daemon.store_on(&medium, is_called("My stick"));
}

#[test]
fn a_store_in_a_file_is_found_through_its_filesystem() {
    let daemon = daemon(Adoption::Off);
    let (id, session) = (StoreId::random(), SessionId::random());
    let inner = Image::ext4("writable", |root| store_tree(root, id, session));
    let mut record = StoreRecord::new(id, name("My stick"), 1);
    record.image = Some("persistence".into());
    let medium = Stick::formatted(128 << 20, "btrfs");
    let mounted = Mounted::new(medium.node(), "btrfs");
    fs::copy(inner.path(), mounted.path().join("persistence")).unwrap();
    write(
        mounted.path().join(layout::MARKER),
        record.render().unwrap(),
    );
    mounted.sync();
    // Seen while it is mounted, and again after.
    File::options().write(true).open(medium.node()).unwrap();
    let is_in_image = |(_, store): &(StoreKey, Store)| store.kind == StoreKind::Image;
    let seen = |world: &World| store_on(world, &medium).filter(is_in_image);
    let (key, store) = daemon.eventually("store in a file", seen);
    assert_eq!(key, StoreKey::new(id));
    assert_eq!((store.filesystem.as_str(), store.problem), ("ext4", None));
    assert!(store.size < 5 << 20);
    drop(mounted);
    daemon.eventually("store that is not in use", |world| {
        let is_free = world.devices[&medium.id()].in_use_by.is_empty();
        seen(world).filter(|(again, _)| is_free && *again == key)
    });
}

#[test]
fn damaged_and_newer_stores_are_shown_and_not_writable() {
    let daemon = daemon(Adoption::On);
    let newer = Stick::ext4("writable", |root| {
        write(
            root.join(layout::MARKER),
            b"name=Tomorrow\nformat=9\n".to_vec(),
        );
    });
    let (_, store) = daemon.store_on(&newer, is_called("Tomorrow"));
    assert_eq!(
        (store.name.as_str(), store.problem),
        ("Tomorrow", Some(Problem::NewerFormat))
    );
    assert!(!store.writable);
    let damaged = Stick::ext4("writable", |root| {
        write(root.join(layout::MARKER), b"name=a\nname=b\n".to_vec());
    });
    let (_, store) = daemon.store_on(&damaged, |store| store.problem == Some(Problem::Corrupt));
    assert!(!store.writable);
}

#[test]
fn an_empty_medium_is_known_to_be_without_a_store() {
    let daemon = daemon(Adoption::Off);
    let medium = Stick::new(16 << 20);
    let examined = |world: &World| world.devices.get(&medium.id())?.examined.then_some(());
    daemon.eventually("empty medium", examined);
}
