//! What a store lies on: its device, opened and locked, and the filesystems on that.

use std::os::fd::AsFd;

use rustix::fs::{FlockOperation, OFlags, flock};
use wendy_sys::{
    Errno,
    block::{Access, BlockDevice},
    dir,
    loopdev::{Loop, LoopOptions},
    mount::{self, DetachedMount, MountFlags},
};

use super::Location;
use crate::{
    error::{During, Error, Result, os},
    patience::{FOR_DEVICE, FOR_LOCK, patiently},
};

/// The image file that a store lies in.
#[derive(Debug)]
pub(super) struct Image {
    _attached: Loop,
    pub(super) outer: DetachedMount,
}

/// Opens and locks the device. The lock tells other programs of ours; within this daemon jobs that
/// share a disk are kept apart before.
pub(super) fn open_device(location: &Location) -> Result<BlockDevice> {
    let name = location.name.as_str();
    let device =
        BlockDevice::open(&location.node, Access::Read).map_err(|error| match error.errno() {
            Some(Errno::NOENT | Errno::NXIO | Errno::NODEV) => Error::Gone(name.to_owned()),
            _ => Error::System {
                what: "opening the device".to_owned(),
                source: error,
            },
        })?;
    device
        .verify(&location.identity)
        .map_err(|_| Error::Changed(name.to_owned()))?;
    lock(&device, name)?;
    Ok(device)
}

fn lock(device: &BlockDevice, name: &str) -> Result<()> {
    let what = "locking the store";
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    match patiently(FOR_LOCK, || flock(device, exclusive).map_err(os(what))) {
        Err(error) if error.errno() == Some(Errno::AGAIN) => Err(Error::Busy(name.to_owned())),
        other => other.during(what),
    }
}

/// As [`mount_device`], through a loop device.
pub(super) fn mount_loop(
    fs_type: &str,
    attached: &Loop,
    flags: MountFlags,
    name: &str,
) -> Result<DetachedMount> {
    let device = BlockDevice::open(attached.node(), Access::Read).during("mounting the store")?;
    mount_device(fs_type, &device, flags, name)
}

/// Mounts the filesystem `fs_type` on `device`, which is that of the store `name`.
pub(super) fn mount_device(
    fs_type: &str,
    device: &BlockDevice,
    flags: MountFlags,
    name: &str,
) -> Result<DetachedMount> {
    patiently(FOR_DEVICE, || mount::of_device(fs_type, device, &[], flags)).map_err(|error| {
        match error.errno() {
            Some(Errno::BUSY) => Error::InUse {
                what: name.to_owned(),
                by: "a mount of another kind".to_owned(),
            },
            Some(Errno::INVAL | Errno::UCLEAN) => Error::Corrupt {
                what: name.to_owned(),
                why: error.to_string(),
            },
            _ => Error::System {
                what: "mounting the store".to_owned(),
                source: error,
            },
        }
    })
}

/// Mounts the filesystem in the image `file` on the filesystem `outer`.
pub(super) fn open_image(
    outer: DetachedMount,
    file: &str,
    flags: MountFlags,
    name: &str,
) -> Result<(DetachedMount, Image)> {
    let access = if flags.read_only {
        OFlags::RDONLY
    } else {
        OFlags::RDWR
    };
    let backing = dir::open_beneath(&outer, file, access).map_err(|error| match error.errno() {
        Some(Errno::NOENT) => Error::NotFound(format!("the image file of {name}")),
        _ => Error::System {
            what: "opening the image file".to_owned(),
            source: error,
        },
    })?;
    // Where the running system has the image attached, that device is used: two over one file
    // would be two filesystems that know nothing of each other.
    let options = LoopOptions {
        read_only: flags.read_only,
        // What is on it is shown already, with the stick.
        locked: true,
        ..LoopOptions::default()
    };
    let attached = match Loop::showing(backing.as_fd()).during("looking for the image")? {
        Some(attached) => attached,
        None => Loop::attach(backing.as_fd(), options).during("opening the image file")?,
    };
    let root = mount_loop("ext4", &attached, flags, name)?;
    Ok((
        root,
        Image {
            _attached: attached,
            outer,
        },
    ))
}
