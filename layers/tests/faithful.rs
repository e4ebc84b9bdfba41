//! A copy of the nasty upper is equal by an independent comparison, and merges to the same tree.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use std::fs;
use std::os::fd::AsFd;

use common::{Copy, EXT4};
use wendy_layers::testing::{
    Depth, Disk, Mounted, NASTY_OPTIONS, Overlay, differences, nasty_upper, tmpfs,
};

fn on(kind: &str, args: &[&str]) {
    let source = tmpfs().unwrap();
    let upper = nasty_upper(&source).unwrap();
    let disk = Disk::format(1 << 30, kind, args).unwrap();
    let to = disk.mount().unwrap();
    let copy = Copy::new(&upper, &to, "copy");
    let copied = copy.first();
    copy.second(&copied);
    assert_eq!(
        differences(copy.upper.as_fd(), copy.dest.as_fd(), Depth::Everything).unwrap(),
        [""; 0]
    );
    assert!(copy.verify().is_intact(), "{:?}", copy.verify());
    same_when_merged(&source, &to);
}

fn same_when_merged(source: &Mounted, to: &Mounted) {
    fs::create_dir(to.path("work")).unwrap();
    let over = |on: &Mounted, upper| {
        let (lower, work) = (source.path("lower"), on.path("work"));
        Overlay::mount(&lower, &on.path(upper), &work, &NASTY_OPTIONS).unwrap()
    };
    let (original, copied) = (over(source, "upper"), over(to, "copy"));
    let found = differences(original.as_fd(), copied.as_fd(), Depth::Merged).unwrap();
    assert_eq!(found, [""; 0]);
    assert!(!copied.path("whiteouts/7").exists());
    assert_eq!(
        fs::read(copied.path("moved away/below/file")).unwrap(),
        [b'l'; 10_000]
    );
}

#[test]
fn on_ext4() {
    on("ext4", EXT4);
}

#[test]
fn on_btrfs() {
    on("btrfs", &[]);
}

#[test]
fn on_the_filesystem_of_the_upper_itself() {
    let disk = Disk::format(1 << 30, "btrfs", &[]).unwrap();
    let on = disk.mount().unwrap();
    let upper = nasty_upper(&on).unwrap();
    let copy = Copy::new(&upper, &on, "copy");
    let first = copy.first();
    copy.second(&first);
    let found = differences(copy.upper.as_fd(), copy.dest.as_fd(), Depth::Everything).unwrap();
    assert_eq!(found, [""; 0]);
    assert!(copy.verify().is_intact(), "{:?}", copy.verify());
}
