//! Looking at a device before anything is done to it. Only reads.

use rustix::fs::{Advice, fadvise};
use wendy_sys::{
    Cancel,
    block::{self, BlockDevice},
    tool::Tool,
};

use super::{
    found::{Content, Found, Part, PartContent, Piece},
    iso9660,
    signature::Signature,
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
    let own = Signature::read(device, None, cancel)?;
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
        image_end: iso9660::image_end(device),
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
            Signature::read(self.device, Some(range), self.cancel)?
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
        let read = |offset, length| self.device.read_at(start + offset, length).ok();
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
    let head = device.read_at(0, MIB).during("looking at the device")?;
    let tail = device
        .read_at(size.saturating_sub(MIB), MIB)
        .during("looking at the device")?;
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
