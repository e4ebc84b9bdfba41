//! Partitions of a disk that is mounted as a whole.
//!
//! A live image written to a stick is a filesystem on the whole disk, and may be mounted as that.
//! Then the kernel lets no other filesystem claim a partition of the disk, although nothing of the
//! image lies there. A loop device over the partition needs no claim. And because the kernel lets
//! nobody else mount the partition meanwhile, there cannot be two filesystems over one place: the
//! mount is kept from ending, whoever unmounts it.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, fstat, open};
use wendy_sys::{
    DevNum, Errno,
    block::{Access, BlockDevice, whole_disk_of},
    loopdev::{Loop, LoopOptions},
    mountinfo::{self, Mount},
};

use crate::error::os;

/// A loop device over a partition that nobody else can mount as long as this lives.
#[derive(Debug)]
pub struct Detour {
    /// The loop device, which goes before its claim does.
    pub attached: Loop,
    /// Keeps the mount of the disk, also where it was taken out of the tree.
    _claim: OwnedFd,
}

/// The loop device through which a filesystem on `device` is mounted; none if it can be mounted as
/// it is.
///
/// # Errors
/// The table of mounts cannot be read, the mount of the disk cannot be kept, or there is no loop
/// device.
pub fn around(device: &BlockDevice, read_only: bool) -> wendy_sys::Result<Option<Detour>> {
    let own = device.identity().devnum;
    let disk = whole_disk_of(own)?;
    let mounts = mountinfo::read()?;
    let mut of_disk = mounts
        .iter()
        .filter(|mount| mount.devnum == disk)
        .peekable();
    if disk == own || of_disk.peek().is_none() {
        return Ok(None);
    }
    let what = "keep the mount of the whole disk";
    let claim = of_disk
        .find_map(kept)
        .ok_or(Errno::BUSY)
        .map_err(os(what))?;
    Ok(Some(Detour {
        attached: attach(device, read_only)?,
        _claim: claim,
    }))
}

/// The root of a mount, unless it is gone or something else was mounted over it.
fn kept(mount: &Mount) -> Option<OwnedFd> {
    let root = open(
        &mount.mount_point,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .ok()?;
    let found = DevNum::new(fstat(&root).ok()?.st_dev);
    (found == mount.devnum).then_some(root)
}

fn attach(device: &BlockDevice, read_only: bool) -> wendy_sys::Result<Loop> {
    let access = if read_only {
        Access::Read
    } else {
        Access::Write
    };
    let backing = BlockDevice::open(&device.proc_path(), access)?;
    if let Some(attached) = Loop::showing(backing.fd())? {
        return Ok(attached);
    }
    let options = LoopOptions {
        read_only,
        locked: true,
        ..LoopOptions::default()
    };
    Loop::attach(backing.fd(), options)
}
