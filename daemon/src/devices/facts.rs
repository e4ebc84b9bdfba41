//! What the kernel and udev say of one block device, as plain data.
//!
//! libudev's objects stay on the thread that made them and are turned into [`BlockFacts`] here,
//! so that everything after can be tested without a device.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use wendy_sys::DevNum;

use super::text::{decode, shown};
use crate::model::DeviceId;

/// A block device as found; nothing is decided yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// Identity.
    pub id: DeviceId,
    /// Device number, `major:minor`.
    pub devnum: DevNum,
    /// The kernel's name, such as `sda1`.
    pub name: String,
    /// The name of the disk it is a partition of, or its own.
    pub disk: String,
    /// Size in bytes.
    pub size: u64,
    /// Write-protected.
    pub read_only: bool,
    /// Whether udev is done with it.
    pub initialized: bool,
    /// How the drive hangs on the machine.
    pub topology: Topology,
    /// Vendor, model and serial number of the drive, fit to be shown.
    pub drive: [String; 3],
    /// What is on it, as udev sees it.
    pub content: Content,
    /// Names of the devices that are made of it (device-mapper, RAID, …).
    pub holders: Vec<String>,
    /// Names of the devices it is made of.
    pub slaves: Vec<String>,
    /// Name given to it by device-mapper or RAID.
    pub alias: String,
    /// The file behind a loop device, or behind the one it is a partition of.
    pub backing: Option<PathBuf>,
    /// Whether it belongs to a mounted btrfs; such a mount names one of its devices only.
    pub in_mounted_btrfs: bool,
}

/// How a drive hangs on the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// Kernel subsystems from the drive up to the root of all devices.
    pub subsystems: Vec<String>,
    /// What udev takes for the bus; USB bridges are often called `ata` here.
    pub bus: String,
    /// Kind of a memory card: `SD` for cards, `MMC` for chips that are soldered in.
    pub card: String,
}

/// What is on a device, as udev sees it. Without a type nothing was found, or several things
/// that contradict each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// What it is for: `filesystem`, `crypto`, `raid`, `other`.
    pub usage: String,
    /// Filesystem or other signature.
    pub fs_type: String,
    /// Label of the filesystem, as it stands on the medium.
    pub label: String,
    /// UUID of the filesystem.
    pub uuid: String,
    /// Name of the partition in its table, as it stands on the medium.
    pub partition_name: String,
    /// Whether it has a partition table.
    pub has_table: bool,
}

impl BlockFacts {
    /// Reads everything from udev and sysfs; `None` if the device vanished meanwhile, has no medium
    /// or is no device of its own. Most of the loop devices of a machine have none, so that is
    /// asked first.
    pub(super) fn read(device: &udev::Device) -> Option<Self> {
        let attribute = |name: &str| device.attribute_value(name).map(text).unwrap_or_default();
        let sectors = attribute("size").parse().ok().filter(|size| *size > 0);
        let size = SECTOR.checked_mul(sectors?)?;
        let name = text(device.sysname());
        let whole = if is_partition(device) {
            device.parent()?
        } else {
            device.clone()
        };
        let diskseq = text(whole.attribute_value("diskseq")?).parse().ok()?;
        // What udev says of another medium is not said of this one.
        let is_seen = is_of(&whole, diskseq) && is_of(device, diskseq);
        let content = if is_seen {
            content(device)
        } else {
            Content::default()
        };
        let alias = [attribute("dm/name"), attribute("md/array_name")].concat();
        Some(Self {
            id: DeviceId {
                diskseq,
                partition: attribute("partition").parse().ok(),
            },
            devnum: DevNum::new(device.devnum()?),
            disk: text(whole.sysname()),
            size,
            read_only: attribute("ro") == "1",
            initialized: device.is_initialized() && is_seen,
            topology: topology(&whole),
            drive: drive(device),
            holders: names_in(&device.syspath().join("holders")),
            slaves: names_in(&device.syspath().join("slaves")),
            alias: shown(&alias),
            backing: whole
                .attribute_value("loop/backing_file")
                .map(PathBuf::from),
            in_mounted_btrfs: is_in_mounted_btrfs(&content, &name),
            content,
            name,
        })
    }

    /// Reads anew what changes without an event of the device.
    pub(super) fn refresh(&mut self) {
        let place = Path::new("/sys/class/block").join(&self.name);
        if let Ok(flag) = std::fs::read(place.join("ro")) {
            self.read_only = flag.starts_with(b"1");
        }
        self.holders = names_in(&place.join("holders"));
        self.in_mounted_btrfs = is_in_mounted_btrfs(&self.content, &self.name);
    }

    /// The kernel's node.
    pub fn node(&self) -> PathBuf {
        Path::new("/dev").join(self.name.replace('!', "/"))
    }
}

/// sysfs counts sizes in units of 512 bytes, whatever the sectors of the device.
const SECTOR: u64 = 512;

fn is_partition(device: &udev::Device) -> bool {
    device.devtype() == Some(OsStr::new("partition"))
}

fn topology(whole: &udev::Device) -> Topology {
    let mut topology = Topology {
        bus: property(whole, "ID_BUS"),
        ..Topology::default()
    };
    let mut next = whole.parent();
    while let Some(device) = next {
        let subsystem = device.subsystem().map(text).unwrap_or_default();
        if subsystem == "mmc" && topology.card.is_empty() {
            topology.card = device.attribute_value("type").map(text).unwrap_or_default();
        }
        topology.subsystems.push(subsystem);
        next = device.parent();
    }
    topology
}

fn drive(device: &udev::Device) -> [String; 3] {
    let first = |names: [&str; 3]| {
        let values = names.map(|name| shown(&decode(&property(device, name))));
        values
            .into_iter()
            .find(|value| !value.is_empty())
            .unwrap_or_default()
    };
    [
        first(["ID_USB_VENDOR_ENC", "ID_VENDOR_ENC", "ID_VENDOR"]),
        first(["ID_USB_MODEL_ENC", "ID_MODEL_ENC", "ID_MODEL"]),
        first(["ID_USB_SERIAL_SHORT", "ID_SERIAL_SHORT", "ID_SERIAL"]),
    ]
}

fn content(device: &udev::Device) -> Content {
    Content {
        usage: property(device, "ID_FS_USAGE"),
        fs_type: property(device, "ID_FS_TYPE"),
        label: decode(&property(device, "ID_FS_LABEL_ENC")),
        uuid: shown(&property(device, "ID_FS_UUID")),
        partition_name: decode(&property(device, "ID_PART_ENTRY_NAME")),
        has_table: !property(device, "ID_PART_TABLE_TYPE").is_empty(),
    }
}

fn property(device: &udev::Device, name: &str) -> String {
    device.property_value(name).map(text).unwrap_or_default()
}

fn text(value: &OsStr) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| text(&entry.file_name())).collect()
}

/// Where udev links to a disk by its sequence number (60-persistent-storage.rules; systemd 250).
const BY_DISKSEQ: &str = "/dev/disk/by-diskseq/";

/// Whether what udev knows is of this medium and not of the one before it: its links remember which
/// medium it looked at. Older versions have no such links.
fn is_of(device: &udev::Device, diskseq: u64) -> bool {
    names_medium(&property(device, "DEVLINKS"), diskseq)
}

fn names_medium(links: &str, diskseq: u64) -> bool {
    let names = links
        .split_whitespace()
        .filter_map(|link| link.strip_prefix(BY_DISKSEQ));
    let mut numbers = names
        .map(|name| {
            name.split('-')
                .next()
                .and_then(|number| number.parse().ok())
        })
        .peekable();
    numbers.peek().is_none() || numbers.any(|number| number == Some(diskseq))
}

/// The kernel lists the devices of every mounted btrfs under its UUID (btrfs(5), sysfs interface).
fn is_in_mounted_btrfs(content: &Content, name: &str) -> bool {
    let uuid = &content.uuid;
    content.fs_type == "btrfs"
        && !uuid.is_empty()
        && !uuid.contains('/')
        && Path::new("/sys/fs/btrfs")
            .join(uuid)
            .join("devices")
            .join(name)
            .exists()
}

#[cfg(test)]
impl Default for BlockFacts {
    fn default() -> Self {
        Self {
            id: DeviceId::disk(1),
            devnum: DevNum::new(0),
            name: String::new(),
            disk: String::new(),
            size: 0,
            read_only: false,
            initialized: true,
            topology: Topology::default(),
            drive: Default::default(),
            content: Content::default(),
            holders: Vec::new(),
            slaves: Vec::new(),
            alias: String::new(),
            backing: None,
            in_mounted_btrfs: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_the_medium_that_udev_looked_at() {
        let links = "/dev/disk/by-label/a /dev/disk/by-diskseq/7";
        assert!(names_medium(links, 7) && !names_medium(links, 8));
        let part = "/dev/disk/by-diskseq/7-part1";
        assert!(names_medium(part, 7) && !names_medium(part, 71));
        assert!(names_medium("/dev/disk/by-label/a", 7) && names_medium("", 7));
    }
}
