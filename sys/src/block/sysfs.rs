//! What sysfs says about a block device.

use std::{fs, path::PathBuf};

use crate::{DevNum, Error, Result, error::Context};

/// The whole disk that carries `device`; `device` itself when it is a whole disk.
pub fn whole_disk_of(device: DevNum) -> Result<DevNum> {
    let here = directory(device);
    if !here.join("partition").exists() {
        return attribute(device, "dev")?.parse();
    }
    let what = || format!("find the disk of {device}");
    // The link leads to …/block/sda/sda1, whose parent is the disk.
    let parent = fs::canonicalize(&here).during(what)?.join("../dev");
    fs::read_to_string(parent).during(what)?.trim().parse()
}

/// The device node of `device` below `/dev`.
pub fn node_of(device: DevNum) -> Result<PathBuf> {
    let facts = attribute(device, "uevent")?;
    let name = facts.lines().find_map(|line| line.strip_prefix("DEVNAME="));
    let name = name.ok_or_else(|| Error::invalid(format!("device {device}"), "has no node"))?;
    Ok(PathBuf::from("/dev").join(name))
}

/// The sequence number of the disk that carries `device`, as in
/// [`Identity`](crate::block::Identity).
pub fn disk_sequence(device: DevNum) -> Result<u64> {
    let number = attribute(whole_disk_of(device)?, "diskseq")?;
    let wrong = || Error::invalid(format!("disk sequence {number:?}"), "not a number");
    number.parse().map_err(|_| wrong())
}

/// Sectors of 512 bytes ever written to `device`: the seventh number of its statistics (kernel
/// documentation, block/stat.rst).
pub fn sectors_written(device: DevNum) -> Result<u64> {
    let statistics = attribute(device, "stat")?;
    seventh(&statistics)
        .ok_or_else(|| Error::invalid(format!("device {device}"), "has no statistics"))
}

fn seventh(statistics: &str) -> Option<u64> {
    statistics.split_whitespace().nth(6)?.parse().ok()
}

/// The directory of `device` in sysfs.
pub(super) fn directory(device: DevNum) -> PathBuf {
    PathBuf::from(format!("/sys/dev/block/{device}"))
}

/// An attribute of `device`, without the newline at its end.
pub(super) fn attribute(device: DevNum, name: &str) -> Result<String> {
    let path = directory(device).join(name);
    let text = fs::read_to_string(&path).during(|| format!("read {}", path.display()))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sectors_written_are_found() {
        let counters =
            "   446   12   6688   116   94   7   3120   55   0   120   171   0   0   0   0\n";
        assert_eq!(seventh(counters), Some(3120));
        assert_eq!(seventh("1 2 3"), None);
        assert_eq!(seventh(""), None);
    }
}
