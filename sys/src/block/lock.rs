//! The lock by which udev and partitioning tools agree on who may touch a disk.
//!
//! Source: systemd, `docs/BLOCK_DEVICE_LOCKING.md`: the lock is `flock` on the node of the whole
//! disk, also for work on one partition; udevd probes under a shared lock and starts anew when an
//! exclusive one is released.

use std::{
    os::fd::BorrowedFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{Access, BlockDevice, Identity, node_of, whole_disk_of};
use crate::{Error, Result, error::Context};

const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// An exclusive lock on a whole disk; dropping it releases the disk.
#[derive(Debug)]
#[must_use = "the disk is unlocked when this is dropped"]
pub struct DiskLock {
    disk: BlockDevice,
}

impl DiskLock {
    /// The locked disk, open for reading.
    pub fn disk(&self) -> &BlockDevice {
        &self.disk
    }
}

pub(super) fn whole_disk(carried: &Identity) -> Result<DiskLock> {
    let disk = BlockDevice::open(&node_of(whole_disk_of(carried.devnum)?)?, Access::Read)?;
    let expected = Identity {
        diskseq: carried.diskseq,
        ..disk.identity()
    };
    disk.verify(&expected)?;
    lock(disk.fd(), disk.node())?;
    Ok(DiskLock { disk })
}

/// Locks an open disk until `disk` and all copies of it are closed. Waits for the present holder, who
/// may be udev looking at it.
pub(crate) fn lock(disk: BorrowedFd<'_>, node: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while let Err(errno) = flock(disk, FlockOperation::NonBlockingLockExclusive) {
        match errno {
            Errno::INTR => {}
            Errno::AGAIN if Instant::now() < deadline => thread::sleep(PAUSE),
            Errno::AGAIN => {
                return Err(Error::Locked {
                    device: node.to_owned(),
                });
            }
            other => return Err(other).during(|| format!("lock {}", node.display())),
        }
    }
    Ok(())
}
