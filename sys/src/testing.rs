//! What the tests of this crate share: files as disks.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Cancel, Errno,
    block::{Access, BlockDevice},
    loopdev::{Loop, LoopOptions},
    mount::{self, DetachedMount, MountFlags},
    tool::Tool,
};

/// Tells whether the test may use devices and mounts; says so when it may not, and
/// fails where `WENDY_TESTS_MUST_RUN` is set.
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    let must = std::env::var_os("WENDY_TESTS_MUST_RUN").is_some();
    assert!(root || !must, "cannot run without root");
    if !root {
        eprintln!("skipped: needs root for devices and mounts");
    }
    root
}

/// An unnamed sparse file of `size` bytes.
pub(crate) fn image(size: u64) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(size).unwrap();
    file
}

/// A disk of `size` bytes that can carry partitions.
pub(crate) fn disk(size: u64) -> Loop {
    let options = LoopOptions {
        partscan: true,
        ..LoopOptions::default()
    };
    Loop::attach(image(size).as_fd(), options).unwrap()
}

/// A disk with an ext4 filesystem without a journal.
pub(crate) fn ext4() -> Loop {
    let mkfs = Tool::new("mkfs.ext4").args(["-q", "-F", "-O", "^has_journal"]);
    formatted(16 << 20, mkfs)
}

/// A disk with a btrfs.
pub(crate) fn btrfs() -> Loop {
    formatted(128 << 20, Tool::new("mkfs.btrfs").arg("-q"))
}

/// A disk with a FAT, and the file it is in.
pub(crate) fn fat() -> (Loop, File) {
    let image = image(16 << 20);
    let disk = Loop::attach(image.as_fd(), LoopOptions::default()).unwrap();
    (format(disk, Tool::new("mkfs.vfat")), image)
}

/// Mounts a FAT; says so when this kernel cannot.
pub(crate) fn mount_fat(disk: &Loop) -> Option<DetachedMount> {
    match mount::detached("vfat", Some(disk.node()), &[], MountFlags::STORE) {
        Err(error) if error.errno() == Some(Errno::NODEV) => {
            // Unlike `eprintln!` this is shown whether the test fails or not.
            let said = writeln!(io::stderr(), "skipped: this kernel has no FAT");
            said.unwrap();
            None
        }
        mounted => Some(mounted.unwrap()),
    }
}

fn formatted(size: u64, mkfs: Tool) -> Loop {
    format(disk(size), mkfs)
}

fn format(disk: Loop, mkfs: Tool) -> Loop {
    let device = BlockDevice::open(disk.node(), Access::Write).unwrap();
    mkfs.arg("--")
        .arg(device.proc_path())
        .pass_fd(device.fd())
        .run(&Cancel::new())
        .unwrap();
    disk
}

/// Waits for something that another process is about to do.
pub(crate) fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "nothing happened for 20 seconds");
        thread::yield_now();
    }
}
