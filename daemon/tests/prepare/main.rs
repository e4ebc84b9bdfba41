//! Devices become stores, or stay what they were.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

mod boot_medium;
#[path = "../common/mod.rs"]
mod common;
mod images;
mod loopback;
mod progress;

use std::{
    fs::{self, File},
    os::fd::AsFd,
    path::Path,
};

use common::*;
use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use wendy_dbus::words::Word;
use wendy_sys::{
    loopdev::{Loop, LoopOptions},
    mount,
};
use wendyd::{
    engine::{
        Error, Unwatched,
        prepare::{self, Mode, PreparePlan},
    },
    stores::Saved,
};

const SIZE: u64 = 256 * MIB;

#[test]
fn a_blank_stick_becomes_a_store() {
    if !is_root() {
        return;
    }
    let stick = Stick::new(SIZE);
    assert!(!plan(&stick.target(), Mode::Device).unwrap().destroys());
    prepare_as(&stick.target(), Mode::Device).unwrap();
    let dump =
        String::from_utf8(run("sfdisk", &["--dump", stick.node().to_str().unwrap()])).unwrap();
    assert!(
        dump.contains("label: gpt") && dump.contains("name=\"persistence\""),
        "{dump}"
    );
    let store = stick.store();
    assert_eq!(store.record().name.as_str(), "My stick");
    assert_eq!(mount::label(store.root()).unwrap(), "writable");
    check_layout(&path_of(&store.root()));
    assert!(Saved::read(store.root()).unwrap().sessions.is_empty());
    drop(store);
    check_filesystem(stick.partition(1).node());
}

#[test]
fn a_plan_gives_udev_no_reason_to_look_again() {
    if !is_root() {
        return;
    }
    let stick = Stick::new(SIZE);
    let watch = inotify::init(CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, stick.node(), WatchFlags::CLOSE_WRITE).unwrap();
    let written = || rustix::io::read(&watch, &mut [0; 256]);
    for &(mode, _) in Mode::WORDS {
        let _ = plan(&stick.target(), mode);
    }
    assert_eq!(written(), Err(Errno::AGAIN));
    prepare_as(&stick.target(), Mode::Device).unwrap();
    written().unwrap();
}

/// What stock casper must find before it finds anything else, and live-boot must not find yet.
fn check_layout(root: &Path) {
    assert!(followed(&root.join("upper")).is_dir() && followed(&root.join("work")).is_dir());
    assert_eq!(
        fs::read_link(root.join("upper")).unwrap(),
        Path::new("casper/default/upper")
    );
    assert!(!root.join("persistence.conf").exists() && !root.join("rw").exists());
    assert!(root.join("casper/sessions").is_dir() && root.join("casper/snapshots").is_dir());
}

#[test]
fn a_store_with_an_error_becomes_read_only_whatever_its_superblock_says() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(SIZE);
    let partition = stick.partition(1);
    let node = partition.node().to_str().unwrap();
    let facts = String::from_utf8(run("tune2fs", &["-l", node])).unwrap();
    let made = facts
        .lines()
        .find(|line| line.starts_with("Errors behavior:"));
    assert!(made.unwrap().ends_with("Remount read-only"), "{made:?}");
    run("tune2fs", &["-e", "panic", node]);
    let _store = partition.store();
    let name = node.trim_start_matches("/dev/");
    let options = fs::read_to_string(format!("/proc/fs/ext4/{name}/options")).unwrap();
    assert!(options.contains("errors=remount-ro\n"), "{options}");
}

#[test]
fn attributes_of_64_kib_fit() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(SIZE);
    let store = stick.store();
    let file = path_of(&store.root()).join("file");
    fs::write(&file, "").unwrap();
    let none = rustix::fs::XattrFlags::empty();
    for n in 0..8 {
        rustix::fs::setxattr(&file, format!("user.a{n}"), &[n; 8000], none).unwrap();
    }
}

#[test]
fn a_second_prepare_says_what_it_destroys() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(SIZE);
    let old = stick.store().record().id;
    let plan = plan(&stick.target(), Mode::Device).unwrap();
    let lost: Vec<_> = plan.lost.iter().map(|piece| piece.kind).collect();
    assert_eq!(lost, ["partition-table", "partition", "filesystem"]);
    assert_eq!(
        (
            plan.lost[2].label.as_str(),
            plan.lost[2].filesystem.as_str()
        ),
        ("writable", "ext4")
    );
    assert!(
        plan.lost[2]
            .used
            .is_some_and(|used| used > 0 && used < SIZE)
    );
    prepare_as(&stick.target(), Mode::Device).unwrap();
    assert_ne!(stick.store().record().id, old);
}

#[test]
fn unknown_data_is_not_taken_for_nothing() {
    if !is_root() {
        return;
    }
    let stick = Stick::made(SIZE, |image| write_at(image, SIZE - 5, b"data"));
    assert_eq!(
        plan(&stick.target(), Mode::Device).unwrap().lost[0].kind,
        "data"
    );
}

#[test]
fn a_partition_becomes_a_store_and_its_neighbour_stays() {
    if !is_root() {
        return;
    }
    for label in ["gpt", "dos"] {
        let stick = Stick::made(SIZE, |image| {
            let table = format!("label: {label}\nsize=32MiB\nsize=100MiB\n");
            script("sfdisk", &["-q", image.to_str().unwrap()], &table);
            write_at(image, 5 * MIB, b"the neighbour");
            // What some BIOSes look for, also beside a GPT.
            write_at(image, 446, &[0x80]);
        });
        let boot_sector = read_at(stick.image(), 0, 512);
        let partition = stick.partition(2);
        prepare_as(&target(partition.node(), Some(2)), Mode::Partition).unwrap();
        let store = partition.store();
        let found = mount::label(store.root()).unwrap();
        assert_eq!(
            found,
            if label == "gpt" {
                "writable"
            } else {
                "persistence"
            }
        );
        assert_eq!(read_at(stick.image(), 5 * MIB, 13), b"the neighbour");
        assert_eq!(read_at(stick.image(), 0, 512), boot_sector);
        let dump = run("sfdisk", &["--dump", stick.node().to_str().unwrap()]);
        let named = String::from_utf8(dump)
            .unwrap()
            .contains("name=\"persistence\"");
        assert_eq!(named, label == "gpt");
    }
}

#[test]
fn what_is_in_use_read_only_too_small_or_another_is_refused_by_name() {
    if !is_root() {
        return;
    }
    let used = Stick::formatted(SIZE, "ext4");
    let mount = mounted(used.node(), "ext4");
    assert!(matches!(
        plan(&used.target(), Mode::Device),
        Err(Error::InUse { .. })
    ));
    drop(mount);
    assert!(matches!(
        plan(&Stick::new(32 * MIB).target(), Mode::Device),
        Err(Error::TooSmall { .. })
    ));
    let mut other = Stick::new(SIZE).target();
    let stick = Stick::new(SIZE);
    other.node = stick.node().to_owned();
    assert!(matches!(plan(&other, Mode::Device), Err(Error::Changed(_))));
    let file = File::open(stick.image()).unwrap();
    let locked = Loop::attach(
        file.as_fd(),
        LoopOptions {
            read_only: true,
            ..LoopOptions::default()
        },
    )
    .unwrap();
    assert!(matches!(
        plan(&target(locked.node(), None), Mode::Device),
        Err(Error::ReadOnly(_))
    ));
}

#[test]
fn what_came_onto_the_stick_after_the_plan_is_not_erased() {
    if !is_root() {
        return;
    }
    let stick = Stick::new(SIZE);
    let agreed = plan(&stick.target(), Mode::Device).unwrap();
    run(
        "mkfs.ext4",
        &["-q", "-L", "precious", stick.node().to_str().unwrap()],
    );
    let refused = carry_out(&stick, &agreed, &Unwatched::default());
    assert!(matches!(refused, Err(Error::Changed(_))), "{refused:?}");
    assert_eq!(
        mount::label(mounted(stick.node(), "ext4")).unwrap(),
        "precious"
    );
}

#[test]
fn a_cancelled_prepare_leaves_no_store() {
    if !is_root() {
        return;
    }
    let stick = Stick::new(SIZE);
    let agreed = plan(&stick.target(), Mode::Device).unwrap();
    let watch = Unwatched::default();
    wendyd::engine::Watch::cancel(&watch).cancel();
    assert!(matches!(
        carry_out(&stick, &agreed, &watch),
        Err(Error::Cancelled)
    ));
    prepare_as(&stick.target(), Mode::Device).unwrap();
}

fn carry_out(stick: &Stick, agreed: &PreparePlan, watch: &Unwatched) -> Result<(), Error> {
    prepare::prepare(&stick.target(), &request(Mode::Device), agreed, watch).map(drop)
}
