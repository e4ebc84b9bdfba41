//! Removal of everything by which the old content of a device is recognised.

use std::ops::Range;

use rustix::io::{Errno, pwrite};

use super::BlockDevice;
use crate::{Error, Result, error::Context};

/// Filesystems and partition tables keep their signatures within a MiB of an end; GPT has its
/// backup in the last sectors, md in the last 128 KiB, btrfs its first copy at 64 KiB.
const MARGIN: u64 = 1 << 20;

pub(super) fn places(device: &BlockDevice) -> Result<Vec<Range<u64>>> {
    let size = device.identity().size;
    let head = |start: u64| start..start.saturating_add(MARGIN).min(size);
    let partitions = device.partitions()?;
    let heads = partitions.iter().map(|partition| head(partition.start));
    Ok(heads
        .chain([head(0), size.saturating_sub(MARGIN)..size])
        .filter(|place| !place.is_empty())
        .collect())
}

pub(super) fn zero(device: &BlockDevice, place: Range<u64>) -> Result<()> {
    let what = || format!("wipe {}", device.node().display());
    let zeros = vec![0; 1 << 16];
    let mut position = place.start;
    while position < place.end {
        let left = usize::try_from(place.end - position).unwrap_or(usize::MAX);
        match pwrite(device, &zeros[..left.min(zeros.len())], position) {
            Ok(0) => return Err(Error::os(what(), Errno::IO)),
            Ok(written) => position += written as u64,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).during(what),
        }
    }
    Ok(())
}
