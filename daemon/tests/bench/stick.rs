//! Loop devices as sticks.

use std::{
    fs::File,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use wendy_store::{Stack, StoreId};
use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice, PartitionExtent},
    loopdev::{Loop, LoopOptions},
    tool::Tool,
};
use wendyd::{
    engine::{
        Result, Unwatched,
        prepare::{self, Known, Mode, PreparePlan, PrepareRequest, Target},
    },
    stores::{Location, OpenStore},
};

use super::run;

/// A loop device over a sparse file of its own.
pub struct Stick {
    device: Loop,
    image: PathBuf,
    _directory: TempDir,
}

impl Stick {
    pub fn new(size: u64) -> Stick {
        Stick::made(size, |_| {})
    }

    /// A stick that `make` wrote something to before it was plugged in.
    pub fn made(size: u64, make: impl FnOnce(&Path)) -> Stick {
        let directory = in_memory();
        let image = directory.path().join("stick.img");
        File::create_new(&image).unwrap().set_len(size).unwrap();
        make(&image);
        Stick {
            device: plug(&image),
            image,
            _directory: directory,
        }
    }

    /// Pulled out and plugged in again.
    pub fn replugged(self) -> Stick {
        let Stick {
            device,
            image,
            _directory,
        } = self;
        drop(device);
        Stick {
            device: plug(&image),
            image,
            _directory,
        }
    }

    pub fn node(&self) -> &Path {
        self.device.node()
    }

    pub fn image(&self) -> &Path {
        &self.image
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

/// A directory of its own in memory, where there is a place for that: what is tested waits for the
/// medium often enough.
pub fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
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

pub fn target(node: &Path, partition: Option<u32>) -> Target {
    let identity = BlockDevice::open(node, Access::Read).unwrap().identity();
    let known = Known {
        device: "the stick".to_owned(),
        partition,
        stores: Vec::new(),
    };
    Target {
        node: node.to_owned(),
        identity,
        known,
        stack: Some(Stack::LiveBoot),
        boot_medium: false,
    }
}

pub fn location(node: &Path, fs_type: &str) -> Location {
    Location {
        node: node.to_owned(),
        identity: BlockDevice::open(node, Access::Read).unwrap().identity(),
        fs_type: fs_type.to_owned(),
        fs_uuid: "01234567-89ab-cdef-0123-456789abcdef".to_owned(),
        name: "the stick".to_owned(),
    }
}

pub fn request(mode: Mode) -> PrepareRequest {
    PrepareRequest {
        mode,
        name: "My stick".to_owned(),
        size: None,
        filesystem: None,
        token: None,
    }
}

pub fn plan(target: &Target, mode: Mode) -> Result<PreparePlan> {
    prepare::plan(target, &request(mode), &Cancel::new())
}

/// Plans and does it.
pub fn prepare_as(target: &Target, mode: Mode) -> Result<()> {
    let plan = plan(target, mode)?;
    prepare::prepare(target, &request(mode), &plan, &Unwatched::default()).map(drop)
}
