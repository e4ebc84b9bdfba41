//! Media of others: taken over where that is safe, named and left alone where not.

use std::{fs, path::Path};

use wendy_store::{StoreId, StoreRecord, layout};
use wendyd::{
    model::{Device, StoreKey, World},
    stores::discover::Adoption,
};

use crate::{
    common::{Image, Mounted, Stick, read_at, run, write_at},
    content::write,
    scene::{daemon, is_called},
};

fn casper_tree(root: &Path) {
    fs::create_dir(root.join("upper")).unwrap();
    fs::create_dir(root.join("work")).unwrap();
    write(root.join("upper/etc/hostname"), b"ubuntu\n".to_vec());
}

#[test]
fn a_medium_of_casper_is_adopted_once() {
    let daemon = daemon(Adoption::On);
    let medium = Stick::ext4("casper-rw", casper_tree);
    let (key, store) = daemon.store_on(&medium, is_called("Ubuntu live session"));
    assert_eq!(
        (store.foreign.as_str(), store.problem, store.writable),
        ("", None, true)
    );
    assert_eq!(store.name, "Ubuntu live session");
    let mounted = Mounted::new(medium.node(), "ext4");
    let marker = fs::read(mounted.path().join(layout::MARKER)).unwrap();
    let record = StoreRecord::parse(&marker, StoreId::random()).unwrap();
    assert_eq!(StoreKey::new(record.id), key);
    assert!(mounted.path().join("upper/etc/hostname").exists());
}

#[test]
fn media_of_others_are_named_and_left_alone() {
    let daemon = daemon(Adoption::On);
    let mut media = vec![
        (
            Stick::ext4("persistence", |root| {
                write(root.join("persistence.conf"), b"/ union\n".to_vec())
            }),
            "live-boot",
        ),
        (
            Stick::ext4("casper-rw", |root| {
                fs::create_dir(root.join("etc")).unwrap();
                fs::create_dir(root.join("usr")).unwrap();
            }),
            "before overlays",
        ),
        (Stick::ext4("home-rw", |_| {}), "home"),
        (Stick::ext4("TailsData", |_| {}), "Tails"),
    ];
    for (medium, whose) in &mut media {
        let before = medium.bytes();
        let (_, store) = daemon.store_on(medium, |store| store.foreign.contains(*whose));
        assert!(store.foreign.contains(*whose), "{store:?}");
        assert!(!store.writable);
        assert!(
            medium.bytes() == before,
            "{whose}: the medium was written to"
        );
    }
}

#[test]
fn without_adoption_nothing_is_written() {
    let daemon = daemon(Adoption::Off);
    let medium = Stick::ext4("casper-rw", casper_tree);
    let before = medium.bytes();
    let (_, store) = daemon.store_on(&medium, |store| store.foreign.contains("casper"));
    assert!(store.foreign.contains("casper"), "{store:?}");
    assert!(medium.bytes() == before, "the medium was written to");
}

/// What a formatting leaves that was cut short: a FAT with the superblock of the ext4 before it.
fn ambivalent() -> Stick {
    Stick::made(64 << 20, |image| {
        let node = image.to_str().unwrap();
        run("mkfs.vfat", &["-F", "32", "-n", "CASPER-RW", node]);
        let before = Image::ext4("casper-rw", casper_tree);
        write_at(image, 1024, &read_at(before.path(), 1024, 1024));
    })
}

#[test]
fn a_medium_that_is_two_things_is_named_and_left_alone() {
    let daemon = daemon(Adoption::On);
    let medium = ambivalent();
    let before = medium.bytes();
    let found = |world: &World| {
        let device = world.devices.get(&medium.id())?;
        (device.filesystem_type == Device::AMBIVALENT).then(|| device.clone())
    };
    let device = daemon.eventually("ambivalent medium", found);
    assert_eq!(device.store, None);
    // It stays so when something else changes, and ends when the medium is one thing again.
    let other = Stick::ext4("writable", |_| {});
    daemon.eventually("other medium", |world| {
        world.devices.get(&other.id()).map(drop)
    });
    assert!(found(&daemon.hub.snapshot()).is_some());
    assert!(medium.bytes() == before, "the medium was written to");
    let node = medium.node().to_str().unwrap();
    run("mkfs.ext4", &["-q", "-F", "-L", "plain", node]);
    let is_plain = |world: &World| {
        let device = world.devices.get(&medium.id())?;
        (device.filesystem_type == "ext4").then_some(())
    };
    daemon.eventually("plain medium", is_plain);
}
