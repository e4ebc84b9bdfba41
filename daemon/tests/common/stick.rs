//! Loop devices as sticks.

use std::{
    fs::{self, File},
    os::fd::AsFd,
    path::Path,
};

use wendy_store::StoreId;
use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice, PartitionExtent},
    loopdev::{Loop, LoopOptions},
    tool::Tool,
};
use wendyd::{
    engine::prepare::{Mode, Target},
    model::DeviceId,
    stores::OpenStore,
};

use super::{Image, location, prepare_as, run, target};

/// A loop device over a file of its own.
pub struct Stick {
    device: Loop,
    image: Image,
}

impl Stick {
    pub fn new(size: u64) -> Stick {
        Stick::made(size, |_| {})
    }

    /// A stick that `make` wrote something to before it was plugged in.
    pub fn made(size: u64, make: impl FnOnce(&Path)) -> Stick {
        let image = Image::sized(size);
        make(image.path());
        Stick::plugged(image)
    }

    /// A stick that is a filesystem from its first byte to its last.
    pub fn formatted(size: u64, fs_type: &str) -> Stick {
        Stick::made(size, |image| {
            run(&format!("mkfs.{fs_type}"), &["-q", image.to_str().unwrap()]);
        })
    }

    /// A small one with an ext4; see [`Image::ext4`].
    pub fn ext4(label: &str, fill: impl FnOnce(&Path)) -> Stick {
        Stick::plugged(Image::ext4(label, fill))
    }

    pub fn plugged(image: Image) -> Stick {
        Stick {
            device: plug(image.path()),
            image,
        }
    }

    /// Pulled out and plugged in again.
    pub fn replugged(self) -> Stick {
        drop(self.device);
        Stick::plugged(self.image)
    }

    /// What the daemon calls it.
    pub fn id(&self) -> DeviceId {
        let device = BlockDevice::open(self.node(), Access::Read).unwrap();
        DeviceId::disk(device.identity().diskseq)
    }

    pub fn node(&self) -> &Path {
        self.device.node()
    }

    pub fn image(&self) -> &Path {
        self.image.path()
    }

    /// All that is on it.
    pub fn bytes(&self) -> Vec<u8> {
        fs::read(self.image()).unwrap()
    }

    /// Partition `number` of the table; see [`partition_of`].
    pub fn partition(&self, number: u32) -> Partition {
        partition_of(self.node(), number)
    }

    /// The partition table, as sfdisk reads it.
    pub fn table(&self) -> Vec<PartitionExtent> {
        table_of(self.node())
    }

    pub fn target(&self) -> Target {
        target(self.node(), None)
    }

    /// The kernel knows every partition, as it does of a stick the system was started from.
    pub fn started_from(&self, number: u32) -> Partition {
        let disk = BlockDevice::open(self.node(), Access::Read).unwrap();
        let _lock = disk.lock_whole_disk().unwrap();
        disk.tell_partitions(&self.table()).unwrap();
        self.known_partition(number)
    }

    /// A partition that the kernel knows.
    pub fn known_partition(&self, number: u32) -> Partition {
        let disk = BlockDevice::open(self.node(), Access::Read).unwrap();
        Partition::open(&disk.partition_node(number).unwrap())
    }

    /// Makes a store on the whole stick.
    pub fn prepared(size: u64) -> Stick {
        let stick = Stick::new(size);
        prepare_as(&stick.target(), Mode::Device).unwrap();
        stick
    }

    /// The store in its first partition.
    pub fn store(&self) -> OpenStore {
        self.partition(1).store()
    }
}

/// Lets the kernel know a partition in the table of this disk, which it may be unable to read
/// itself. It stays known while the result is held: udev may let the kernel read the table again.
pub fn partition_of(disk: &Path, number: u32) -> Partition {
    let wanted = table_of(disk)
        .into_iter()
        .find(|extent| extent.number == number);
    let disk = BlockDevice::open(disk, Access::Read).unwrap();
    let _lock = disk.lock_whole_disk().unwrap();
    disk.tell_partitions(&[wanted.unwrap()]).unwrap();
    Partition::open(&disk.partition_node(number).unwrap())
}

/// The partition table of this disk, as sfdisk reads it.
pub fn table_of(disk: &Path) -> Vec<PartitionExtent> {
    let json = run("sfdisk", &["--json", disk.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let partitions = json["partitiontable"]["partitions"].as_array();
    let extent = |partition: &serde_json::Value| PartitionExtent {
        number: partition["node"]
            .as_str()
            .unwrap()
            .rsplit('p')
            .next()
            .unwrap()
            .parse()
            .unwrap(),
        start: partition["start"].as_u64().unwrap() * 512,
        size: partition["size"].as_u64().unwrap() * 512,
    };
    partitions.map_or_else(Vec::new, |list| list.iter().map(extent).collect())
}

fn plug(image: &Path) -> Loop {
    let file = File::options().read(true).write(true).open(image).unwrap();
    let options = LoopOptions {
        partscan: true,
        ..LoopOptions::default()
    };
    Loop::attach(file.as_fd(), options).unwrap()
}

/// A partition that the kernel knows.
pub struct Partition {
    held: BlockDevice,
}

impl Partition {
    /// One the kernel knows already.
    pub fn open(node: &Path) -> Partition {
        Partition {
            held: BlockDevice::open(node, Access::Read).unwrap(),
        }
    }

    pub fn node(&self) -> &Path {
        self.held.node()
    }

    pub fn store(&self) -> OpenStore {
        OpenStore::open(location(self.node(), "ext4")).unwrap()
    }
}

/// The store in the first partition of this disk, if there is a sound one.
pub fn store_on(disk: &Path) -> Option<StoreId> {
    let has_table = Tool::new("sfdisk")
        .arg("--json")
        .arg(disk)
        .run(&Cancel::new());
    if has_table.is_err() || table_of(disk).is_empty() {
        return None;
    }
    let partition = partition_of(disk, 1);
    let store = OpenStore::open(location(partition.node(), "ext4")).ok()?;
    Some(store.record().id)
}
