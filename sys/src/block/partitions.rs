//! The kernel's view of the partitions on a disk, read from sysfs and changed by BLKPG.
//!
//! Telling the kernel partition by partition leaves those alone that stay, and works where the
//! kernel was built without a parser for the partition table at hand.

use std::{
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use super::{BlockDevice, node_of, sysfs};
use crate::{
    DevNum, Errno, Error, Result,
    error::Context,
    ioctl::{self, PartitionChange},
};

/// sysfs counts in sectors of 512 bytes, whatever the disk's own sector size is.
const SYSFS_SECTOR: u64 = 512;

/// How long programs such as udev may look at a partition that has to go.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

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
    let mut extents: Vec<_> = list(disk)?.into_iter().map(|(extent, _)| extent).collect();
    extents.sort_unstable();
    Ok(extents)
}

pub(super) fn tell(
    disk: &BlockDevice,
    wanted: &[PartitionExtent],
    patience: Duration,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match change_once(disk, wanted) {
            Err(error) if error.errno() == Some(Errno::BUSY) && Instant::now() < deadline => {
                thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

fn change_once(disk: &BlockDevice, wanted: &[PartitionExtent]) -> Result<()> {
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
    match list(disk)?
        .into_iter()
        .find(|(extent, _)| extent.number == number)
    {
        Some((_, device)) => node_of(device),
        None => Err(Error::invalid(
            format!("disk {disk}"),
            format!("has no partition {number}"),
        )),
    }
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

/// Place and device of each partition of `disk`; one that vanishes meanwhile is left out.
fn list(disk: DevNum) -> Result<Vec<(PartitionExtent, DevNum)>> {
    let what = || format!("list the partitions of {disk}");
    let mut found = Vec::new();
    for entry in fs::read_dir(sysfs::directory(disk)).during(what)? {
        match read(&entry.during(what)?.path()) {
            Ok(partition) => found.push(partition),
            // Also what is no partition has no such attributes.
            Err(error) if matches!(error.errno(), Some(Errno::NOENT | Errno::NOTDIR)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn read(directory: &Path) -> Result<(PartitionExtent, DevNum)> {
    let extent = PartitionExtent {
        number: attribute(directory, "partition")?,
        start: attribute::<u64>(directory, "start")? * SYSFS_SECTOR,
        size: attribute::<u64>(directory, "size")? * SYSFS_SECTOR,
    };
    Ok((extent, attribute(directory, "dev")?))
}

fn attribute<T: FromStr>(directory: &Path, name: &str) -> Result<T> {
    let path = directory.join(name);
    let text = fs::read_to_string(&path).during(|| format!("read {}", path.display()))?;
    let unreadable = |_| Error::invalid(path.display().to_string(), format!("odd value {text:?}"));
    text.trim_end().parse().map_err(unreadable)
}
