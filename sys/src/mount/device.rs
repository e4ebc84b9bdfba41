//! Mounting what is on an open device, and nothing else that has its name by then.

use std::path::PathBuf;

use super::{DetachedMount, MountFlags, detached};
use crate::{
    Result,
    block::{Access, BlockDevice, node_of},
};

/// Mounts the filesystem `fs_type` on `device`, as [`detached`] does.
///
/// # Errors
/// Those of [`detached`]; [`Error::DeviceChanged`](crate::Error::DeviceChanged) if another medium
/// took the place of this one meanwhile.
pub fn of_device(
    fs_type: &str,
    device: &BlockDevice,
    params: &[(&str, Option<&str>)],
    flags: MountFlags,
) -> Result<DetachedMount> {
    let source = source(fs_type, device)?;
    let mounted = detached(fs_type, Some(&source), params, flags)?;
    if fs_type == BTRFS {
        verify(device)?;
    }
    Ok(mounted)
}

/// The kernel keeps the name of each device of a btrfs, as the last one who looked called it, and
/// opens the device by that name again (fs/btrfs/volumes.c, `device_list_add` and
/// `btrfs_open_devices`). A descriptor of this process would be another file for the next one.
const BTRFS: &str = "btrfs";

fn source(fs_type: &str, device: &BlockDevice) -> Result<PathBuf> {
    if fs_type == BTRFS {
        node_of(device.identity().devnum)
    } else {
        Ok(device.proc_path())
    }
}

/// Each medium has a sequence number of its own, so a node that leads to this medium now has led
/// to no other one since the device was opened.
fn verify(device: &BlockDevice) -> Result<()> {
    let node = node_of(device.identity().devnum)?;
    BlockDevice::open(&node, Access::Read)?.verify(&device.identity())
}
