//! Removal of everything by which the old content of a device is recognised.

use rustix::io::{Errno, pwrite};

use super::BlockDevice;
use crate::{Error, Result, error::Context};

/// Filesystems and partition tables keep their signatures within a MiB of an end; GPT has its
/// backup in the last sectors, md in the last 128 KiB, btrfs its first copy at 64 KiB.
const MARGIN: u64 = 1 << 20;

pub(super) fn signatures(device: &BlockDevice) -> Result<()> {
    let size = device.identity().size;
    for partition in device.partitions()? {
        zero(device, partition.start, size)?;
    }
    zero(device, 0, size)?;
    zero(device, size.saturating_sub(MARGIN), size)?;
    device.fsync()
}

/// Zeroes up to a MiB from `start`, never beyond `end`.
fn zero(device: &BlockDevice, start: u64, end: u64) -> Result<()> {
    let what = || format!("wipe {}", device.node().display());
    let zeros = vec![0; 1 << 16];
    let end = end.min(start.saturating_add(MARGIN));
    let mut position = start;
    while position < end {
        let left = usize::try_from(end - position).unwrap_or(usize::MAX);
        match pwrite(device, &zeros[..left.min(zeros.len())], position) {
            Ok(0) => return Err(Error::os(what(), Errno::IO)),
            Ok(written) => position += written as u64,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).during(what),
        }
    }
    Ok(())
}
