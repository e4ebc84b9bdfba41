use std::{fs::File, os::unix::fs::symlink};

use rustix::fs::{Mode, OFlags};

use super::*;
use crate::{
    Cancel, DevNum, Errno,
    block::{Access, BlockDevice},
    dir::{make_dir, open_beneath, read_small, write_atomic},
    loopdev::Loop,
    testing::{btrfs, ext4, fat, is_root, mount_fat, until},
    tool::Tool,
};

fn tmpfs() -> DetachedMount {
    detached(
        "tmpfs",
        None,
        &[("size", Some("1m"))],
        MountFlags::default(),
    )
    .unwrap()
}

#[test]
fn a_detached_mount_is_a_directory_nobody_else_sees() {
    if !is_root() {
        return;
    }
    let mount = tmpfs();
    write_atomic(&mount, "file", b"content", 0o600).unwrap();
    assert_eq!(read_small(&mount, "file", 100).unwrap(), b"content");
    let space = space(&mount).unwrap();
    assert_eq!((space.size, space.used()), (1 << 20, 4096));
    let devnum = DevNum::new(rustix::fs::fstat(&mount).unwrap().st_dev);
    let mounts = crate::mountinfo::read().unwrap();
    assert!(mounts.iter().all(|mount| mount.devnum != devnum));
}

#[test]
fn the_kernel_explains_itself() {
    if !is_root() {
        return;
    }
    let stick = ext4();
    let bogus = [("bogus_option", None)];
    let error = detached("ext4", Some(stick.node()), &bogus, MountFlags::STORE).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Unknown parameter 'bogus_option'"),
        "{error}"
    );
    assert_eq!(error.errno(), Some(Errno::INVAL));
    let absent = detached("absentfs", None, &[], MountFlags::STORE).unwrap_err();
    assert_eq!(absent.errno(), Some(Errno::NODEV));
}

#[test]
fn an_untrusted_mount_allows_nothing_but_reading() {
    if !is_root() {
        return;
    }
    let stick = ext4();
    let writable = detached("ext4", Some(stick.node()), &[], MountFlags::default()).unwrap();
    write_atomic(&writable, "script", b"#!/bin/sh\n", 0o4755).unwrap();
    rustix::fs::symlinkat("script", &writable, "link").unwrap();
    drop(writable);

    // A process that another test starts just now holds the first mount for a moment.
    let mount = loop {
        match detached("ext4", Some(stick.node()), &[], MountFlags::UNTRUSTED) {
            Err(error) if error.errno() == Some(Errno::BUSY) => {}
            other => break other.unwrap(),
        }
    };
    assert_eq!(read_small(&mount, "script", 100).unwrap(), b"#!/bin/sh\n");
    assert_eq!(
        write_atomic(&mount, "x", b"", 0o600).unwrap_err().errno(),
        Some(Errno::ROFS)
    );
    let follow = rustix::fs::openat(&mount, "link", OFlags::RDONLY, Mode::empty());
    assert_eq!(follow.unwrap_err(), Errno::LOOP);
    let flags = rustix::fs::fstatvfs(&mount).unwrap().f_flag;
    use rustix::fs::StatVfsMountFlags as Flags;
    assert!(flags.contains(Flags::RDONLY | Flags::NOSUID | Flags::NODEV | Flags::NOEXEC));
}

#[test]
fn no_superblock_makes_the_kernel_panic_or_write_on_into_damage() {
    if !is_root() {
        return;
    }
    for wish in ["panic", "continue"] {
        let stick = ext4();
        let tune = Tool::new("tune2fs").args(["-e", wish]).arg(stick.node());
        tune.run(&Cancel::new()).unwrap();
        let device = BlockDevice::open(stick.node(), Access::Read).unwrap();
        let _mounted = of_device("ext4", &device, &[], MountFlags::STORE).unwrap();
        let name = stick.node().file_name().unwrap().to_str().unwrap();
        let options = std::fs::read_to_string(format!("/proc/fs/ext4/{name}/options")).unwrap();
        let on_error = options.lines().find(|line| line.starts_with("errors="));
        assert_eq!(on_error, Some("errors=remount-ro"), "{wish}");
    }
}

#[test]
fn a_btrfs_that_is_still_looked_at_is_busy() {
    if !is_root() {
        return;
    }
    let stick = btrfs();
    let device = BlockDevice::open(stick.node(), Access::Read).unwrap();
    let mount = |params: &[_], flags| of_device("btrfs", &device, params, flags);
    let look = [("rescue", Some("nologreplay"))];
    let looked_at = mount(&look, MountFlags::UNTRUSTED).unwrap();
    let busy = mount(&[], MountFlags::STORE).unwrap_err();
    assert_eq!(busy.errno(), Some(Errno::BUSY), "{busy}");
    drop(looked_at);
    until(|| mount(&[], MountFlags::STORE).is_ok());
}

#[test]
fn no_link_of_a_store_is_followed() {
    if !is_root() {
        return;
    }
    let store = detached("tmpfs", None, &[], MountFlags::STORE).unwrap();
    write_atomic(&store, "file", b"", 0o600).unwrap();
    rustix::fs::symlinkat("file", &store, "link").unwrap();
    let follow = rustix::fs::openat(&store, "link", OFlags::RDONLY, Mode::empty());
    assert_eq!(follow.unwrap_err(), Errno::LOOP);
}

#[test]
fn a_clone_shows_the_same_files_under_its_own_rules() {
    if !is_root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let original = File::open(place.path()).unwrap();
    let upper = make_dir(&original, "cow/upper", 0o755).unwrap();
    let clone = clone_detached(&original, "cow", MountFlags::UNTRUSTED).unwrap();
    write_atomic(&upper, "later", b"seen", 0o600).unwrap();
    assert_eq!(read_small(&clone, "upper/later", 100).unwrap(), b"seen");
    assert_eq!(
        write_atomic(&clone, "x", b"", 0o600).unwrap_err().errno(),
        Some(Errno::ROFS)
    );
    assert!(open_beneath(&clone, "../..", OFlags::RDONLY).is_err());
}

#[test]
fn a_mount_gets_a_place_and_loses_it() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mount = tmpfs();
    attach(&mount, File::open(directory.path()).unwrap()).unwrap();
    std::fs::write(directory.path().join("file"), "visible").unwrap();
    assert_eq!(read_small(&mount, "file", 100).unwrap(), b"visible");

    drop(mount);
    let open = File::open(directory.path().join("file")).unwrap();
    assert_eq!(
        detach(directory.path(), false).unwrap_err().errno(),
        Some(Errno::BUSY)
    );
    let link = tempfile::tempdir().unwrap();
    symlink(directory.path(), link.path().join("link")).unwrap();
    assert!(detach(&link.path().join("link"), true).is_err());
    detach(directory.path(), true).unwrap();
    assert_eq!(std::io::read_to_string(open).unwrap(), "visible");
}

#[test]
fn a_filesystem_that_was_shut_down_fails_and_keeps_what_was_synced() {
    if !is_root() {
        return;
    }
    let stick = ext4();
    let mounted = || detached("ext4", Some(stick.node()), &[], MountFlags::STORE).unwrap();
    let mount = mounted();
    write_atomic(&mount, "file", b"synced", 0o600).unwrap();
    syncfs(&mount).unwrap();
    shut_down(&mount).unwrap();
    let written = write_atomic(&mount, "file", b"lost", 0o600);
    assert_eq!(written.unwrap_err().errno(), Some(Errno::IO));
    assert_eq!(syncfs(&mount).unwrap_err().errno(), Some(Errno::IO));
    drop(mount);
    assert_eq!(read_small(mounted(), "file", 100).unwrap(), b"synced");
}

#[test]
fn what_is_written_back_stays_in_no_memory_of_the_device() {
    if !is_root() {
        return;
    }
    let (ext4, (fat, _image)) = (ext4(), fat());
    let on_ext4 = detached("ext4", Some(ext4.node()), &[], MountFlags::STORE).unwrap();
    let on_fat = mount_fat(&fat);
    let sticks = std::iter::once((&ext4, on_ext4)).chain(on_fat.map(|mount| (&fat, mount)));
    for (stick, mount) in sticks {
        drop(open_beneath(&mount, "file", OFlags::WRONLY | OFlags::CREATE).unwrap());
        let before = flushes(stick);
        syncfs(&mount).unwrap();
        assert!(flushes(stick) > before, "{}", stick.node().display());
    }
}

/// How often a device was told to empty its own memory (kernel documentation, block/stat.rst).
fn flushes(device: &Loop) -> u64 {
    let name = device.node().file_name().unwrap().to_str().unwrap();
    let statistics = std::fs::read_to_string(format!("/sys/block/{name}/stat")).unwrap();
    let count = statistics.split_whitespace().nth(15);
    count.unwrap().parse().unwrap()
}

#[test]
fn what_is_read_only_is_not_said_to_be_written() {
    if !is_root() {
        return;
    }
    let stick = ext4();
    let flags = MountFlags {
        read_only: true,
        ..MountFlags::STORE
    };
    let mount = detached("ext4", Some(stick.node()), &[], flags).unwrap();
    assert_eq!(syncfs(&mount).unwrap_err().errno(), Some(Errno::ROFS));
}

#[test]
fn a_label_is_changed_while_mounted() {
    if !is_root() {
        return;
    }
    let stick = ext4();
    let mount = detached("ext4", Some(stick.node()), &[], MountFlags::STORE).unwrap();
    set_label(&mount, "writable").unwrap();
    assert_eq!(label(&mount).unwrap(), "writable");
    assert!(set_label(&mount, "longer than sixteen").is_err());
    assert!(set_label(&mount, &"x".repeat(256)).is_err());
    assert_eq!(label(&mount).unwrap(), "writable");
}
