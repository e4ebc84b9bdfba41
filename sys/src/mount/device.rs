//! Mounting what is on an open device, and nothing else that has its name by then.

use super::{DetachedMount, MountFlags, detached};
use crate::{
    Errno, Result,
    block::{Access, BlockDevice, node_of},
};

/// Mounts the filesystem `fs_type` on `device`, as [`detached`] does.
///
/// An ext2, ext3 or ext4 in which the kernel finds an error becomes read-only, whatever its superblock
/// asks for: a panic, or to go on writing (ext4(5), `errors`). One that is mounted already keeps its way.
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
    if fs_type == BTRFS {
        return of_btrfs(device, params, flags);
    }
    let on_error = EXT
        .contains(&fs_type)
        .then_some(("errors", Some("remount-ro")));
    let params: Vec<_> = params.iter().copied().chain(on_error).collect();
    detached(fs_type, Some(&device.proc_path()), &params, flags)
}

const EXT: [&str; 3] = ["ext2", "ext3", "ext4"];
const BTRFS: &str = "btrfs";

/// The kernel keeps the name of each device of a btrfs, as the last one who looked called it, and
/// opens the device by that name again (fs/btrfs/volumes.c, `device_list_add` and
/// `btrfs_open_devices`). A descriptor of this process would be another file for the next one.
///
/// A second mount takes the first one over: where that does not replay the log it must not become
/// writable, and what others call busy is an invalid argument here (fs/btrfs/super.c,
/// `btrfs_check_options`).
fn of_btrfs(
    device: &BlockDevice,
    params: &[(&str, Option<&str>)],
    flags: MountFlags,
) -> Result<DetachedMount> {
    let node = node_of(device.identity().devnum)?;
    let mount = || detached(BTRFS, Some(&node), params, flags);
    let mounted = match mount() {
        Err(error) if error.errno() == Some(Errno::INVAL) => {
            BlockDevice::open(&node, Access::Claim)?;
            mount()?
        }
        mounted => mounted?,
    };
    verify(device)?;
    Ok(mounted)
}

/// Each medium has a sequence number of its own, so a node that leads to this medium now has led
/// to no other one since the device was opened.
fn verify(device: &BlockDevice) -> Result<()> {
    let node = node_of(device.identity().devnum)?;
    BlockDevice::open(&node, Access::Read)?.verify(&device.identity())
}
