//! Partitions of a disk that is mounted as a whole.
//!
//! A live image written to a stick is a filesystem on the whole disk, and may be mounted as that.
//! Then the kernel lets no other filesystem claim a partition of the disk, although nothing of the
//! image lies there. A loop device over the partition needs no claim. And because the kernel lets
//! nobody else mount the partition meanwhile, there cannot be two filesystems over one place.

use wendy_sys::{
    block::{Access, BlockDevice, whole_disk_of},
    loopdev::{Loop, LoopOptions},
    mountinfo,
};

/// The loop device through which a filesystem on `device` is mounted; none if it can be mounted as
/// it is.
///
/// # Errors
/// The table of mounts cannot be read, or there is no loop device.
pub fn around(device: &BlockDevice, read_only: bool) -> wendy_sys::Result<Option<Loop>> {
    let own = device.identity().devnum;
    let disk = whole_disk_of(own)?;
    if disk == own || mountinfo::read()?.iter().all(|mount| mount.devnum != disk) {
        return Ok(None);
    }
    let access = if read_only {
        Access::Read
    } else {
        Access::Write
    };
    let backing = BlockDevice::open(&device.proc_path(), access)?;
    if let Some(attached) = Loop::showing(backing.fd())? {
        return Ok(Some(attached));
    }
    let options = LoopOptions {
        read_only,
        locked: true,
        ..LoopOptions::default()
    };
    Loop::attach(backing.fd(), options).map(Some)
}
