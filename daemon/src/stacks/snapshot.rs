//! The copy-on-write store of a device-mapper snapshot.

use std::{fs, path::PathBuf};

use wendy_sys::{Cancel, DevNum, loopdev, mount::Space, tool::Tool};

use super::{Error, Persistence};

/// device-mapper counts in sectors of 512 bytes.
const SECTOR: u64 = 512;

/// A root filesystem whose changed blocks go to a store of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The device-mapper device that is the root directory.
    pub root: DevNum,
    /// The device that takes changed blocks; `None` for a thin pool.
    pub store: Option<DevNum>,
}

impl Snapshot {
    /// Size and use of the store, as device-mapper counts them. Deleting files frees nothing.
    pub(super) fn space(self) -> Result<Space, Error> {
        let name = name_of(self.root)
            .ok_or_else(|| Error::Layout("the snapshot's device is gone".into()))?;
        let output = Tool::new("dmsetup")
            .args(["status", "--", &name])
            .run(&Cancel::new())?;
        let status = String::from_utf8_lossy(&output.stdout);
        read_status(&status)
            .ok_or_else(|| Error::Layout(format!("snapshot {name} is unusable: {}", status.trim())))
    }

    /// Without a store of its own the snapshot is on a thin pool, which dracut makes in memory.
    pub(super) fn persistence(self) -> Persistence {
        let Some(store) = self.store else {
            return Persistence::Volatile;
        };
        match loopdev::backing_device(store) {
            Ok(holder) if holder.major() == 0 => Persistence::Volatile,
            Ok(device) => Persistence::Kept {
                device,
                path: PathBuf::new(),
            },
            Err(_) => Persistence::Unknown,
        }
    }
}

/// The name of a device-mapper device; `None` for any other device.
pub fn name_of(device: DevNum) -> Option<String> {
    let name = fs::read_to_string(format!("/sys/dev/block/{device}/dm/name")).ok()?;
    Some(name.trim_end().to_owned())
}

/// The device-mapper device of this name.
pub fn device_named(name: &str) -> Option<DevNum> {
    let disks = fs::read_dir("/sys/block").ok()?.flatten();
    let numbers = disks.filter_map(|disk| fs::read_to_string(disk.path().join("dev")).ok());
    let mut devices = numbers.filter_map(|number| number.trim().parse().ok());
    devices.find(|device| name_of(*device).as_deref() == Some(name))
}

/// Reads `0 6291456 snapshot 3000/65536 16`: start, length, target, used and all sectors of the
/// store, sectors of its own tables (kernel documentation, device-mapper/snapshot). An invalid or
/// overflown snapshot says so instead of the numbers.
fn read_status(status: &str) -> Option<Space> {
    let mut fields = status.split_whitespace().skip(2);
    let (used, all) = (fields.next()? == "snapshot").then(|| fields.next()?.split_once('/'))??;
    let bytes = |sectors: &str| sectors.parse::<u64>().ok()?.checked_mul(SECTOR);
    let (used, size) = (bytes(used)?, bytes(all)?);
    let free = size.checked_sub(used)?;
    Some(Space {
        size,
        available: free,
        free,
        block: SECTOR,
        free_inodes: u64::MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_snapshot_is_read() {
        let space = read_status("0 6291456 snapshot 3000/65536 16\n").unwrap();
        assert_eq!((space.size, space.used()), (65536 * 512, 3000 * 512));
    }

    #[test]
    fn a_broken_snapshot_has_no_space() {
        for status in [
            "0 6291456 snapshot Invalid",
            "0 6291456 snapshot Overflow",
            "0 6291456 linear",
            "0 1 snapshot 9/8 0",
            "0 1 snapshot x/8 0",
            "",
        ] {
            assert_eq!(read_status(status), None, "{status}");
        }
    }
}
