//! Devices become stores, or stay what they were.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[path = "../bench/mod.rs"]
mod bench;
mod boot_medium;
mod progress;

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    os::fd::AsFd,
    path::Path,
};

use bench::*;
use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use wendy_sys::{
    loopdev::{Loop, LoopOptions},
    mount,
};
use wendyd::{
    engine::{
        Error, Unwatched,
        prepare::{self, Mode, PreparePlan},
    },
    stores::{OpenStore, Saved},
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
    for mode in Mode::ALL {
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
        });
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
        let dump = run("sfdisk", &["--dump", stick.node().to_str().unwrap()]);
        let named = String::from_utf8(dump)
            .unwrap()
            .contains("name=\"persistence\"");
        assert_eq!(named, label == "gpt");
    }
}

#[test]
fn a_live_image_stays_as_it_is_when_its_free_space_is_used() {
    if !is_root() {
        return;
    }
    for make in [hybrid_dos as fn(&Path), hybrid_gpt] {
        let stick = Stick::made(SIZE, make);
        let before = read_at(stick.image(), 64 * 512, IMAGE - 64 * 512);
        let plan = plan(&stick.target(), Mode::FreeSpace).unwrap();
        assert!(!plan.destroys() && plan.place.start >= IMAGE as u64);
        let old = stick.table();
        prepare_as(&stick.target(), Mode::FreeSpace).unwrap();
        assert!(read_at(stick.image(), 64 * 512, IMAGE - 64 * 512) == before);
        assert_eq!(stick.table()[..old.len()], old);
        let new = stick.table().last().unwrap().number;
        let store = stick.partition(new).store();
        check_layout(&path_of(&store.root()));
    }
}

/// Size of the images below.
const IMAGE: usize = 20 << 20;

/// As isohybrid makes it: the first partition is the whole image, the second lies within.
fn hybrid_dos(disk: &Path) {
    fill_image(disk);
    let sectors = u32::try_from(IMAGE / 512).unwrap();
    write_dos_table(disk, &[(0x00, 0, sectors), (0xEF, 6280, 8192)]);
}

/// Entries of type, first sector and size, which no tool would write as they overlap.
fn write_dos_table(disk: &Path, entries: &[(u8, u32, u32)]) {
    for (slot, (kind, start, size)) in (0..).zip(entries.iter().copied()) {
        let mut entry = [0_u8; 16];
        entry[4] = kind;
        entry[8..12].copy_from_slice(&u32::to_le_bytes(start));
        entry[12..].copy_from_slice(&u32::to_le_bytes(size));
        write_at(disk, 446 + 16 * slot, &entry);
    }
    write_at(disk, 446, &[0x80]);
    write_at(disk, 510, &[0x55, 0xAA]);
}

/// With a table whose second copy stands where the image ends.
fn hybrid_gpt(disk: &Path) {
    fill_image(disk);
    let all = File::options().write(true).open(disk).unwrap();
    all.set_len(IMAGE as u64).unwrap();
    let table =
        "label: gpt\nfirst-lba: 64\nstart=64, size=20000\nstart=20480, size=8192, type=uefi\n";
    script(
        "sfdisk",
        &["-q", "-w", "never", disk.to_str().unwrap()],
        table,
    );
    all.set_len(SIZE).unwrap();
}

/// Something everywhere, and the volume descriptor of an ISO 9660 of that size.
fn fill_image(disk: &Path) {
    let pattern: Vec<u8> = (0..=250).cycle().take(IMAGE - 64 * 1024).collect();
    write_at(disk, 64 * 1024, &pattern);
    let mut descriptor = vec![0_u8; 2048];
    descriptor[..6].copy_from_slice(b"\x01CD001");
    let blocks = u32::try_from(IMAGE / 2048).unwrap();
    descriptor[80..84].copy_from_slice(&blocks.to_le_bytes());
    descriptor[128..130].copy_from_slice(&2048_u16.to_le_bytes());
    write_at(disk, 16 * 2048, &descriptor);
}

#[test]
fn a_stick_full_of_files_carries_a_store_in_a_file() {
    if !is_root() {
        return;
    }
    for fs_type in ["ext4", "btrfs"] {
        let stick = Stick::made(SIZE, |image| {
            drop(run(
                &format!("mkfs.{fs_type}"),
                &["-q", image.to_str().unwrap()],
            ))
        });
        fs::write(
            path_of(&mounted(stick.node(), fs_type)).join("holiday.jpg"),
            "beach",
        )
        .unwrap();
        let plan = plan(&stick.target(), Mode::Loopback).unwrap();
        assert!(!plan.destroys());
        prepare_as(&stick.target(), Mode::Loopback).unwrap();
        let store = OpenStore::open(location(stick.node(), fs_type)).unwrap();
        assert!(store.in_image() && store.record().image.is_none());
        check_layout(&path_of(&store.root()));
        drop(store);
        let outer = mounted(stick.node(), fs_type);
        let marker = fs::read_to_string(path_of(&outer).join("casper/.info")).unwrap();
        assert!(
            marker.contains("image=persistence") && marker.contains("name=My stick"),
            "{marker}"
        );
        assert_eq!(
            fs::read_to_string(path_of(&outer).join("holiday.jpg")).unwrap(),
            "beach"
        );
        assert_eq!(
            fs::metadata(path_of(&outer).join("persistence"))
                .unwrap()
                .len(),
            plan.place.size
        );
    }
}

#[test]
fn an_image_is_replaced_only_after_it_was_named_as_lost() {
    if !is_root() {
        return;
    }
    let stick = Stick::made(SIZE, |image| {
        drop(run("mkfs.ext4", &["-q", image.to_str().unwrap()]))
    });
    prepare_as(&stick.target(), Mode::Loopback).unwrap();
    let plan = plan(&stick.target(), Mode::Loopback).unwrap();
    assert_eq!(
        plan.lost.iter().map(|piece| piece.kind).collect::<Vec<_>>(),
        ["image"]
    );
    prepare_as(&stick.target(), Mode::Loopback).unwrap();
    OpenStore::open(location(stick.node(), "ext4")).unwrap();
}

#[test]
fn what_is_in_use_read_only_too_small_or_another_is_refused_by_name() {
    if !is_root() {
        return;
    }
    let used = Stick::made(SIZE, |image| {
        drop(run("mkfs.ext4", &["-q", image.to_str().unwrap()]))
    });
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

fn write_at(image: &Path, offset: u64, bytes: &[u8]) {
    let mut file = File::options().write(true).open(image).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(bytes).unwrap();
}

fn read_at(image: &Path, offset: u64, length: usize) -> Vec<u8> {
    let mut file = File::open(image).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes).unwrap();
    bytes
}
