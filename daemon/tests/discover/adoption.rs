//! Media of others: taken over where that is safe, named and left alone where not.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
};

use tempfile::TempDir;
use wendy_store::{StoreId, StoreRecord, layout};
use wendy_sys::tool::Tool;
use wendyd::{
    model::{Device, StoreKey, World},
    stores::discover::Adoption,
};

use crate::{
    common::{Medium, Mounted, ext4_image, run, sized},
    daemon, is_called, write,
};

fn casper_tree(root: &Path) {
    fs::create_dir(root.join("upper")).unwrap();
    fs::create_dir(root.join("work")).unwrap();
    write(root.join("upper/etc/hostname"), b"ubuntu\n".to_vec());
}

#[test]
fn a_medium_of_casper_is_adopted_once() {
    let daemon = daemon(Adoption::On);
    let medium = Medium::ext4("casper-rw", casper_tree);
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
            Medium::ext4("persistence", |root| {
                write(root.join("persistence.conf"), b"/ union\n".to_vec())
            }),
            "live-boot",
        ),
        (
            Medium::ext4("casper-rw", |root| {
                fs::create_dir(root.join("etc")).unwrap();
                fs::create_dir(root.join("usr")).unwrap();
            }),
            "before overlays",
        ),
        (Medium::ext4("home-rw", |_| {}), "home"),
        (Medium::ext4("TailsData", |_| {}), "Tails"),
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
    let medium = Medium::ext4("casper-rw", casper_tree);
    let before = medium.bytes();
    let (_, store) = daemon.store_on(&medium, |store| store.foreign.contains("casper"));
    assert!(store.foreign.contains("casper"), "{store:?}");
    assert!(medium.bytes() == before, "the medium was written to");
}

/// What a formatting leaves that was cut short: a FAT with the superblock of the ext4 before it.
fn ambivalent() -> Medium {
    let directory = TempDir::new().unwrap();
    let image = sized(&directory, 64 << 20);
    run(Tool::new("mkfs.vfat")
        .args(["-F", "32", "-n", "CASPER-RW"])
        .arg(&image));
    let before = ext4_image("casper-rw", casper_tree);
    let mut superblock = [0; 1024];
    let old = File::open(before.path().join("image")).unwrap();
    old.read_exact_at(&mut superblock, 1024).unwrap();
    let new = File::options().write(true).open(&image).unwrap();
    new.write_all_at(&superblock, 1024).unwrap();
    Medium::new(directory)
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
    let other = Medium::ext4("writable", |_| {});
    daemon.eventually("other medium", |world| {
        world.devices.get(&other.id()).map(drop)
    });
    assert!(found(&daemon.hub.snapshot()).is_some());
    assert!(medium.bytes() == before, "the medium was written to");
    run(Tool::new("mkfs.ext4")
        .args(["-q", "-F", "-L", "plain"])
        .arg(medium.node()));
    let is_plain = |world: &World| {
        let device = world.devices.get(&medium.id())?;
        (device.filesystem_type == "ext4").then_some(())
    };
    daemon.eventually("plain medium", is_plain);
}
