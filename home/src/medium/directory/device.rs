//! The device below FAT and exFAT. Their drivers keep all that is no content in its page cache: names,
//! inodes, what is allocated. So one sync of it makes that durable, of whatever file, and tells whether any
//! of it was lost.

use super::by_number;
use rustix::fs;
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use wendy_sys::DevNum;
use wendy_sys::block::{Access, BlockDevice, node_of};

/// `f_type` of vfat and msdos (statfs(2), `MSDOS_SUPER_MAGIC`).
pub(super) const FAT: i64 = 0x4d44;
/// `f_type` of exFAT (linux/magic.h, `EXFAT_SUPER_MAGIC`).
pub(super) const EXFAT: i64 = 0x2011_bab0;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Device {
    device: BlockDevice,
    /// Whether something could not be written. The kernel tells that once and drops it, so that nobody can
    /// write it again.
    failed: AtomicBool,
}

impl Device {
    /// The one below a filesystem with this magic number, for those who may open it.
    pub(super) fn below(root: &OwnedFd, magic: i64) -> Option<Self> {
        if magic != FAT && magic != EXFAT {
            return None;
        }
        let number = DevNum::new(fs::fstat(root).ok()?.st_dev);
        let device = node_of(number).and_then(|node| BlockDevice::open(&node, Access::Read));
        let device = device
            .inspect_err(|error| tracing::debug!(%error, "names are synced one by one"))
            .ok()?;
        (device.identity().devnum == number).then(|| Self {
            device,
            failed: AtomicBool::new(false),
        })
    }

    /// Makes all durable that is no content.
    ///
    /// # Errors
    /// Those of fsync(2), again and again from the first one on.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.failed.load(Ordering::Acquire) {
            return Err(Errno::IO.into());
        }
        by_number(self.device.fsync()).inspect_err(|error| {
            if !self.failed.swap(true, Ordering::AcqRel) {
                tracing::error!(%error, "names or tables could not be written: nothing can be kept any more");
            }
        })
    }
}
