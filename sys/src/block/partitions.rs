//! The kernel's view of the partitions on a disk, read from sysfs and changed by BLKPG.
//!
//! Telling the kernel partition by partition leaves those alone that stay, and works where the
//! kernel was built without a parser for the partition table at hand.

use std::{fs, os::fd::AsFd, path::PathBuf};

use super::{BlockDevice, node_of, sysfs};
use crate::{
    DevNum, Error, Result,
    error::Context,
    ioctl::{self, PartitionChange},
};

/// sysfs counts in sectors of 512 bytes, whatever the disk's own sector size is.
const SYSFS_SECTOR: u64 = 512;

/// Place of a partition on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionExtent {
    /// Number in the partition table, from 1.
    pub number: u32,
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub size: u64,
}

pub(super) fn known(disk: DevNum) -> Result<Vec<PartitionExtent>> {
    let mut extents = children(disk)?
        .into_iter()
        .map(|(number, device)| extent(number, device))
        .collect::<Result<Vec<_>>>()?;
    extents.sort_unstable();
    Ok(extents)
}

pub(super) fn tell(disk: &BlockDevice, wanted: &[PartitionExtent]) -> Result<()> {
    let known = known(disk.identity().devnum)?;
    for stale in known.iter().filter(|extent| !wanted.contains(extent)) {
        change(disk, PartitionChange::Delete, stale)?;
    }
    for new in wanted.iter().filter(|extent| !known.contains(extent)) {
        change(disk, PartitionChange::Add, new)?;
    }
    Ok(())
}

pub(super) fn node(disk: DevNum, number: u32) -> Result<PathBuf> {
    let found = children(disk)?
        .into_iter()
        .find(|(known, _)| *known == number);
    let (_, device) = found.ok_or_else(|| {
        Error::invalid(format!("disk {disk}"), format!("has no partition {number}"))
    })?;
    node_of(device)
}

fn change(disk: &BlockDevice, change: PartitionChange, extent: &PartitionExtent) -> Result<()> {
    let what = || {
        format!(
            "{change:?} partition {} of {}",
            extent.number,
            disk.node().display()
        )
    };
    let out_of_range = |_| Error::invalid(what(), "number or position out of range");
    let number = i32::try_from(extent.number).map_err(out_of_range)?;
    let start = i64::try_from(extent.start).map_err(out_of_range)?;
    let size = i64::try_from(extent.size).map_err(out_of_range)?;
    ioctl::change_partition(disk.as_fd(), change, number, start, size).during(what)
}

/// Number and device of each partition of `disk`.
fn children(disk: DevNum) -> Result<Vec<(u32, DevNum)>> {
    let directory = sysfs::directory(disk);
    let what = || format!("list the partitions of {disk}");
    let mut found = Vec::new();
    for entry in fs::read_dir(&directory).during(what)? {
        let path = entry.during(what)?.path();
        let Ok(number) = fs::read_to_string(path.join("partition")) else {
            continue;
        };
        let device = fs::read_to_string(path.join("dev")).during(what)?;
        let number = number.trim().parse();
        let number = number.map_err(|_| Error::invalid(what(), "unreadable partition number"))?;
        found.push((number, device.trim().parse()?));
    }
    Ok(found)
}

fn extent(number: u32, device: DevNum) -> Result<PartitionExtent> {
    let sectors = |name| -> Result<u64> {
        let text = sysfs::attribute(device, name)?;
        text.parse()
            .map_err(|_| Error::invalid(format!("{name} of {device}"), "not a number"))
    };
    Ok(PartitionExtent {
        number,
        start: sectors("start")? * SYSFS_SECTOR,
        size: sectors("size")? * SYSFS_SECTOR,
    })
}
