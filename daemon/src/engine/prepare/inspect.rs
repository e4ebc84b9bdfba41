//! Looking at a device before anything is done to it. Only reads.

use rustix::{
    fs::{Advice, fadvise},
    io::pread,
};
use wendy_sys::{
    Cancel,
    block::{self, BlockDevice},
    tool::Tool,
};

use super::{
    found::{Content, Found, Part, PartContent, Piece},
    table::{Entry, Table, TableKind},
    used,
};
use crate::error::{During, Error, Result, os};

const MIB: u64 = 1 << 20;

/// What is already known about a device from outside of it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What people call it.
    pub device: String,
    /// Number of the partition; none for a whole disk.
    pub partition: Option<u32>,
    /// Stores on it, and sessions of these, by partition; none stands for the device itself.
    pub stores: Vec<(Option<u32>, Piece)>,
}

/// Looks at the whole device, without mounting anything.
///
/// # Errors
/// Unreadable devices and nonsensical tables.
pub fn inspect(device: &BlockDevice, known: &Known, cancel: &Cancel) -> Result<Found> {
    forget_cached(device)?;
    let look = Look {
        device,
        known,
        cancel,
    };
    let own = look.signature(None)?;
    let table = if known.partition.is_none() && own.has_table {
        Some(read_table(device, cancel)?)
    } else {
        None
    };
    let unknown = own.is_nothing() && table.is_none() && has_data(device)?;
    let content = look.content(own, (0, device.identity().size), known.partition, unknown);
    let part = match known.partition {
        None => Part::Disk {
            partitions: look.partitions(table.as_ref())?,
            table,
        },
        Some(number) => look.partition(number)?,
    };
    Ok(Found {
        device: known.device.clone(),
        identity: device.identity(),
        sector: device.sector_size().during("looking at the device")?.into(),
        read_only: device.read_only().during("looking at the device")?,
        part,
        content,
        image_end: image_end(device),
        known_end: known_end(device)?,
        room: None,
    })
}

/// The partition table, which must be there.
///
/// # Errors
/// A table that sfdisk cannot read.
pub fn read_table(disk: &BlockDevice, cancel: &Cancel) -> Result<Table> {
    let path = disk.proc_path();
    let tool = Tool::new("sfdisk")
        .args(["--lock=no", "--json", "--"])
        .arg(path)
        .pass_fd(disk.fd());
    let json = tool
        .run(cancel)
        .during("reading the partition table")?
        .stdout;
    Table::parse(&json, &disk.node().display().to_string())
}

struct Look<'a> {
    device: &'a BlockDevice,
    known: &'a Known,
    cancel: &'a Cancel,
}

/// What libblkid recognises.
#[derive(Default)]
struct Signature {
    fs_type: String,
    label: String,
    uuid: String,
    has_table: bool,
    ambiguous: bool,
}

impl Look<'_> {
    fn partitions(&self, table: Option<&Table>) -> Result<Vec<PartContent>> {
        let entries = table.map_or(&[][..], |table| &table.entries);
        entries.iter().map(|entry| self.part(entry)).collect()
    }

    fn part(&self, entry: &Entry) -> Result<PartContent> {
        let range = (entry.start, entry.size);
        let signature = if entry.start == 0 {
            Signature::default()
        } else {
            self.signature(Some(range))?
        };
        let content = self.content(signature, range, Some(entry.number), false);
        let &Entry { number, size, .. } = entry;
        Ok(PartContent {
            number,
            name: entry.name.clone(),
            size,
            content,
        })
    }

    /// This device as a partition of its disk, which must agree that it is.
    fn partition(&self, number: u32) -> Result<Part> {
        let what = "looking at the disk of the partition";
        let own = self.device.identity();
        let whole = block::whole_disk_of(own.devnum).during(what)?;
        let node = block::node_of(whole).during(what)?;
        let disk = BlockDevice::open(&node, block::Access::Read).during(what)?;
        let extents = disk.partitions().during(what)?;
        let extent = extents
            .iter()
            .find(|extent| extent.number == number && extent.size == own.size);
        let same_disk = disk.identity().diskseq == own.diskseq && whole != own.devnum;
        let Some(extent) = extent.filter(|_| same_disk) else {
            return Err(Error::Changed(self.known.device.clone()));
        };
        let table = read_table(&disk, self.cancel)
            .map_or(TableKind::Other(String::new()), |table| table.kind);
        Ok(Part::Partition {
            number,
            start: extent.start,
            table,
        })
    }

    fn content(
        &self,
        seen: Signature,
        range: (u64, u64),
        part: Option<u32>,
        unknown: bool,
    ) -> Option<Content> {
        if seen.is_nothing() && !unknown {
            return None;
        }
        let used = self.used(&seen.fs_type, range.0);
        let Signature {
            fs_type,
            label,
            uuid,
            ..
        } = seen;
        let stores = self.known.stores.iter().filter(|(place, _)| *place == part);
        let known = stores.map(|(_, piece)| piece.clone()).collect();
        Some(Content {
            size: range.1,
            fs_type,
            label,
            uuid,
            used,
            known,
        })
    }

    fn used(&self, fs_type: &str, start: u64) -> Option<u64> {
        let read = |offset, length| read_at(self.device, start + offset, length).ok();
        match fs_type {
            "ext2" | "ext3" | "ext4" => used::ext(&read(used::EXT_SUPERBLOCK, 1024)?),
            "vfat" => {
                let boot = read(0, 512)?;
                let (counter, sector) = used::fat_counter(&boot)?;
                used::fat(&boot, &read(counter * sector, 512)?)
            }
            _ => None,
        }
    }

    fn signature(&self, range: Option<(u64, u64)>) -> Result<Signature> {
        let mut tool = Tool::new("blkid")
            .args(["-p", "-o", "export"])
            .accept(NOTHING)
            .accept(AMBIGUOUS);
        if let Some((start, size)) = range {
            tool = tool
                .arg("--offset")
                .arg(start.to_string())
                .arg("--size")
                .arg(size.to_string());
        }
        let tool = tool
            .arg("--")
            .arg(self.device.proc_path())
            .pass_fd(self.device.fd());
        let output = tool.run(self.cancel).during("looking for signatures")?;
        let seen = Signature {
            ambiguous: output.code == AMBIGUOUS,
            ..Signature::parse(&output.stdout)
        };
        Ok(seen)
    }
}

/// Exit codes of blkid(8).
const NOTHING: i32 = 2;
const AMBIGUOUS: i32 = 8;

impl Signature {
    /// Reads `NAME=value` lines; blkid puts a backslash before what a shell would misunderstand.
    fn parse(export: &[u8]) -> Signature {
        let text = String::from_utf8_lossy(export);
        let mut seen = Signature::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "TYPE" => seen.fs_type = plain(value),
                "LABEL" => seen.label = plain(value),
                "UUID" => seen.uuid = plain(value),
                "PTTYPE" => seen.has_table = true,
                _ => {}
            }
        }
        seen
    }

    fn is_nothing(&self) -> bool {
        self.fs_type.is_empty() && !self.ambiguous
    }
}

/// Without the backslashes, and without what could rewrite the line it is shown in.
fn plain(value: &str) -> String {
    value
        .chars()
        .filter(|c| *c != '\\')
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

/// The kernel caches a disk and its partitions apart from each other. What was read of the disk
/// before somebody wrote to a partition would hide what is there now.
fn forget_cached(device: &BlockDevice) -> Result<()> {
    let what = "looking at the device";
    device.fsync().during(what)?;
    fadvise(device, 0, None, Advice::DontNeed)
        .map_err(os(what))
        .during(what)
}

/// Whether there are bytes of which nobody knows what they are. A new or wiped device has zeros at
/// its ends, or ones as erased flash does.
fn has_data(device: &BlockDevice) -> Result<bool> {
    let size = device.identity().size;
    let head = read_at(device, 0, MIB).during("looking at the device")?;
    let tail = read_at(device, size.saturating_sub(MIB), MIB).during("looking at the device")?;
    let blank = |bytes: &[u8]| {
        bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xFF)
    };
    Ok(!blank(&head) || !blank(&tail))
}

fn known_end(device: &BlockDevice) -> Result<u64> {
    let known = device.partitions().during("listing the partitions")?;
    let ends = known.iter().map(|extent| extent.start + extent.size);
    Ok(ends.max().unwrap_or(0))
}

/// The end of an ISO 9660 image by its own account (ECMA-119, 8.4), or 0. Its descriptor is looked
/// for itself: whatever else is on the disk, a partition table for one, can hide it from libblkid.
fn image_end(device: &BlockDevice) -> u64 {
    let Ok(descriptor) = read_at(device, 16 * 2048, 2048) else {
        return 0;
    };
    if !descriptor.starts_with(b"\x01CD001") {
        return 0;
    }
    let number = |range: std::ops::Range<usize>| -> u64 {
        let bytes = descriptor.get(range).unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    number(80..84)
        .saturating_mul(number(128..130))
        .min(device.identity().size)
}

/// Up to `length` bytes from `start`, fewer only at the end of the device.
fn read_at(device: &BlockDevice, start: u64, length: u64) -> wendy_sys::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let mut filled = 0;
    while filled < bytes.len() {
        let position = start + filled as u64;
        match pread(device, &mut bytes[filled..], position) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => {
                let what = format!("read {}", device.node().display());
                return Err(wendy_sys::Error::Os {
                    what,
                    source: errno.into(),
                });
            }
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read_as_blkid_writes_them() {
        let export = b"DEVNAME=/proc/self/fd/9\nLABEL=a\\ b^Jc\nUUID=e4a3\nTYPE=ext4\nPTTYPE=dos\n";
        let seen = Signature::parse(export);
        assert_eq!(
            (seen.label.as_str(), seen.uuid.as_str()),
            ("a b^Jc", "e4a3")
        );
        assert!(seen.fs_type == "ext4" && seen.has_table && !seen.is_nothing());
        assert!(Signature::parse(b"").is_nothing());
    }
}
