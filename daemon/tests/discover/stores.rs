//! Stores are shown with their sessions, and follow what happens to their media.

use std::fs::{self, File};

use rustix::fs::{FlockOperation, flock};
use wendy_store::{SessionId, StoreId, StoreRecord, layout};
use wendyd::{
    model::{Problem, SessionKey, SessionState, Store, StoreKey, StoreKind, World},
    stores::discover::Adoption,
};

use crate::{
    common::{Image, Mounted, Stick},
    content::{name, session_tree, store_tree, write},
    scene::{daemon, is_called, store_on},
};

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
