use std::{fs::File, os::unix::fs::MetadataExt};

use rustix::fs::{FlockOperation, flock};

use super::*;
use crate::{
    block::{Access, BlockDevice},
    testing::{image, is_root, until},
};

/// How many loop devices show `file`, a file without a name.
fn attached_to(file: &File) -> usize {
    let name = format!("#{} (deleted)\n", file.metadata().unwrap().ino());
    let disks = fs::read_dir("/sys/block")
        .unwrap()
        .map(|disk| disk.unwrap().path());
    let shows = |disk: &PathBuf| {
        fs::read_to_string(disk.join("loop/backing_file")).is_ok_and(|file| file.ends_with(&name))
    };
    disks.filter(shows).count()
}

#[test]
fn two_hundred_devices_come_and_go() {
    if !is_root() {
        return;
    }
    let file = image(1 << 20);
    for round in 0..200 {
        let options = LoopOptions {
            read_only: round % 2 == 0,
            partscan: round % 3 == 0,
            // Every fifth request is one that the kernel refuses.
            offset: if round % 5 == 0 { u64::MAX } else { 4096 },
            ..LoopOptions::default()
        };
        let attached = Loop::attach(file.as_fd(), options);
        assert_eq!(
            attached.is_err(),
            round % 5 == 0,
            "round {round}: {attached:?}"
        );
        assert_eq!(attached_to(&file), usize::from(attached.is_ok()));
        drop(attached);
        // Where udev runs, it may look at the device a moment longer than we do.
        until(|| attached_to(&file) == 0);
    }
}

#[test]
fn a_locked_device_is_left_alone_until_it_is_given_up() {
    if !is_root() {
        return;
    }
    let file = image(1 << 20);
    let options = LoopOptions {
        locked: true,
        ..LoopOptions::default()
    };
    let attached = Loop::attach(file.as_fd(), options).unwrap();
    let other = BlockDevice::open(attached.node(), Access::Read).unwrap();
    let look = || flock(&other, FlockOperation::NonBlockingLockShared);
    assert_eq!(look(), Err(Errno::AGAIN));
    drop(attached);
    look().unwrap();
}

#[test]
fn a_directory_or_a_closed_pipe_is_no_disk() {
    if !is_root() {
        return;
    }
    let directory = File::open("/").unwrap();
    assert!(Loop::attach(directory.as_fd(), LoopOptions::default()).is_err());
    let (reader, _) = rustix::pipe::pipe().unwrap();
    assert!(Loop::attach(reader.as_fd(), LoopOptions::default()).is_err());
}

#[test]
fn options_reach_the_device() {
    if !is_root() {
        return;
    }
    let options = LoopOptions {
        read_only: true,
        offset: 8192,
        size_limit: 65536,
        ..LoopOptions::default()
    };
    let attached = Loop::attach(image(1 << 20).as_fd(), options).unwrap();
    let device = BlockDevice::open(attached.node(), Access::Read).unwrap();
    assert_eq!(device.identity().size, 65536);
    assert!(device.read_only().unwrap());
}

#[test]
fn the_backing_file_is_named() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a disk.img");
    let file = File::create_new(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    let options = LoopOptions {
        read_only: true,
        ..LoopOptions::default()
    };
    let attached = Loop::attach(file.as_fd(), options).unwrap();
    let device = BlockDevice::open(attached.node(), Access::Read).unwrap();
    let number = device.identity().devnum;
    assert_eq!(backing_file(number).unwrap(), path);
    let holder = DevNum::new(file.metadata().unwrap().dev());
    assert_eq!(backing_device(number).unwrap(), holder);
}

#[test]
fn the_device_of_a_file_is_found_while_it_is_attached() {
    if !is_root() {
        return;
    }
    let file = image(1 << 20);
    assert!(Loop::showing(file.as_fd()).unwrap().is_none());
    let attached = Loop::attach(file.as_fd(), LoopOptions::default()).unwrap();
    let found = Loop::showing(file.as_fd()).unwrap().unwrap();
    assert_eq!(found.node(), attached.node());
    drop(attached);
    // Held, it stays although its owner has gone.
    assert!(Loop::showing(file.as_fd()).unwrap().is_some());
    drop(found);
    until(|| Loop::showing(file.as_fd()).unwrap().is_none());
    assert!(Loop::showing(image(1 << 20).as_fd()).unwrap().is_none());
}
