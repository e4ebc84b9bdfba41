//! Sticks, live systems and looking at what became of them, for the tests of the engine.
//!
//! Everything is real: loop devices, sfdisk, mkfs, mounts. It needs root, and says so loudly where
//! it has none.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    missing_debug_implementations,
    reason = "a test that fails says so"
)]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode as Bits, OFlags};
use tempfile::TempDir;
use wendy_store::{BaseImage, Stack, UpperKind, base::LayerFacts};
use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice, PartitionExtent},
    loopdev::{Loop, LoopOptions},
    mount::{self, DetachedMount, MountFlags},
    tool::Tool,
};
use wendyd::{
    engine::{
        Result, Source, Unwatched,
        prepare::{self, Known, Mode, PreparePlan, PrepareRequest, Target},
        save::{self, Indexes, SaveReport, SaveRequest},
    },
    stores::{Location, OpenStore},
};

pub const MIB: u64 = 1 << 20;

/// Whether there is root, without which nothing here can be done.
pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: loop devices and mounts need root");
    }
    root
}

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
        let file = File::options().read(true).write(true).open(&image).unwrap();
        let options = LoopOptions {
            partscan: true,
            ..LoopOptions::default()
        };
        let device = Loop::attach(file.as_fd(), options).unwrap();
        Stick {
            device,
            image,
            _directory: directory,
        }
    }

    pub fn node(&self) -> &Path {
        self.device.node()
    }

    pub fn image(&self) -> &Path {
        &self.image
    }

    /// Lets the kernel know a partition in the table, which it may be unable to read itself. It
    /// stays known while the result is held: udev may let the kernel read the table again.
    pub fn partition(&self, number: u32) -> Partition {
        let wanted = self
            .table()
            .into_iter()
            .find(|extent| extent.number == number);
        let disk = BlockDevice::open(self.node(), Access::Read).unwrap();
        let _lock = disk.lock_whole_disk().unwrap();
        disk.tell_partitions(&[wanted.unwrap()]).unwrap();
        let node = disk.partition_node(number).unwrap();
        Partition {
            held: BlockDevice::open(&node, Access::Read).unwrap(),
        }
    }

    /// The partition table, as sfdisk reads it.
    pub fn table(&self) -> Vec<PartitionExtent> {
        let json = run("sfdisk", &["--json", self.node().to_str().unwrap()]);
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

    pub fn target(&self) -> Target {
        target(self.node(), None)
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

/// A directory of its own in memory, where there is a place for that: what is tested waits for the
/// medium often enough.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// A partition that the kernel knows.
pub struct Partition {
    held: BlockDevice,
}

impl Partition {
    pub fn node(&self) -> &Path {
        self.held.node()
    }

    pub fn store(&self) -> OpenStore {
        OpenStore::open(location(self.node(), "ext4")).unwrap()
    }
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

/// An upper layer given by hand, and where saves of it are remembered.
pub struct Live {
    pub directory: Directory,
    pub base: BaseImage,
}

/// A directory of this test, or of the one that started it.
pub enum Directory {
    Own(TempDir),
    Given(PathBuf),
}

impl Directory {
    pub fn path(&self) -> &Path {
        match self {
            Directory::Own(directory) => directory.path(),
            Directory::Given(path) => path,
        }
    }
}

impl Live {
    /// A small session: files, a link, a whiteout, an opaque directory.
    pub fn new() -> Live {
        let live = Live {
            directory: Directory::Own(in_memory()),
            base: image(b"one"),
        };
        fs::create_dir(live.upper()).unwrap();
        for dir in ["etc", "home/ann", "usr/share/doc", "tmp"] {
            fs::create_dir_all(live.upper().join(dir)).unwrap();
        }
        for n in 0..40 {
            live.write(
                &format!("home/ann/note{n}"),
                &format!("note {n}\n").repeat(n * 97),
            );
        }
        live.write("etc/hostname", "ann\n");
        live.write("tmp/scratch", "gone after the next start");
        symlink("hostname", live.upper().join("etc/name")).unwrap();
        let (whiteout, mode) = (live.upper().join("etc/motd"), Bits::empty());
        rustix::fs::mknodat(CWD, &whiteout, FileType::CharacterDevice, mode, 0).unwrap();
        let opaque = live.upper().join("usr/share/doc");
        rustix::fs::setxattr(
            &opaque,
            "trusted.overlay.opaque",
            b"y",
            rustix::fs::XattrFlags::empty(),
        )
        .unwrap();
        live
    }

    /// One that another process has made.
    pub fn at(directory: PathBuf) -> Live {
        Live {
            directory: Directory::Given(directory),
            base: image(b"one"),
        }
    }

    pub fn upper(&self) -> PathBuf {
        self.directory.path().join("upper")
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.upper().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn source(&self) -> Source {
        source(&self.upper(), self.base.clone())
    }

    pub fn indexes(&self) -> Indexes {
        Indexes::new(self.directory.path().join("index"))
    }

    pub fn save(&self, store: &OpenStore, request: &SaveRequest) -> Result<SaveReport> {
        self.save_from(&self.source(), store, request)
    }

    pub fn save_from(
        &self,
        source: &Source,
        store: &OpenStore,
        request: &SaveRequest,
    ) -> Result<SaveReport> {
        let indexes = self.indexes();
        let watch = Unwatched::default();
        save::save(
            save::Context {
                store,
                source,
                indexes: &indexes,
                watch: &watch,
            },
            request,
        )
    }

    /// The image below, as far as the upper layer hides something of it.
    pub fn lower(&self) -> PathBuf {
        let lower = self.directory.path().join("lower");
        fs::create_dir_all(lower.join("usr/share/doc/old")).unwrap();
        fs::create_dir_all(lower.join("etc")).unwrap();
        fs::write(lower.join("etc/motd"), "welcome").unwrap();
        lower
    }

    /// What must come back: everything but what is left out of every save.
    pub fn expected(&self) -> Tree {
        let mut tree = look(&self.upper());
        tree.retain(|path, _| !path.starts_with("tmp/"));
        tree
    }
}

pub fn source(upper: &Path, base: BaseImage) -> Source {
    Source {
        upper: open_dir(upper),
        stack: Stack::LiveBoot,
        kind: UpperKind::Overlayfs,
        base,
        mount_points: Vec::new(),
        swap_files: Vec::new(),
        started_from: None,
    }
}

pub fn image(head: &[u8]) -> BaseImage {
    BaseImage::from_layers(&[LayerFacts {
        name: "filesystem.squashfs",
        size: 1,
        head,
    }])
}

pub fn named(name: &str) -> SaveRequest {
    SaveRequest {
        name: name.to_owned(),
        second_pass: true,
        ..SaveRequest::default()
    }
}

pub fn update_of(report: &SaveReport) -> SaveRequest {
    SaveRequest {
        session: Some(report.session),
        second_pass: true,
        ..SaveRequest::default()
    }
}

/// Everything below a directory by its path, each entry in words.
pub type Tree = BTreeMap<String, String>;

/// Looks at every entry without following links.
pub fn look(top: &Path) -> Tree {
    let mut tree = Tree::new();
    look_below(top, "", &mut tree);
    tree
}

fn look_below(dir: &Path, prefix: &str, tree: &mut Tree) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let facts = fs::symlink_metadata(entry.path()).unwrap();
        tree.insert(path.clone(), in_words(&entry.path(), &facts));
        if facts.is_dir() {
            look_below(&entry.path(), &format!("{path}/"), tree);
        }
    }
}

fn in_words(path: &Path, facts: &fs::Metadata) -> String {
    let kind = facts.file_type();
    let content = if kind.is_file() {
        format!("{:?}", fs::read(path).unwrap())
    } else if kind.is_symlink() {
        format!("-> {}", fs::read_link(path).unwrap().display())
    } else if kind.is_char_device() {
        format!("device {}", facts.rdev())
    } else {
        let opaque = rustix::fs::lgetxattr(path, "trusted.overlay.opaque", &mut [0_u8; 8][..]);
        format!("opaque {}", opaque.is_ok())
    };
    let (mode, owner) = (facts.permissions().mode(), (facts.uid(), facts.gid()));
    let time = if facts.is_dir() {
        0
    } else {
        facts.mtime_nsec()
    };
    format!("{mode:o} {owner:?} {time} {content}")
}

/// The upper layer as a stock image finds it: through the links in the root.
pub fn stock_upper(store: &OpenStore) -> Option<PathBuf> {
    let root = PathBuf::from(format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&store.root())
    ));
    let upper = root.join("rw");
    upper.exists().then_some(upper)
}

/// Mounts an overlay as live-boot would from this store and looks at it.
pub fn boot(store: &OpenStore, lower: &Path) -> Tree {
    let upper = open_dir(&stock_upper(store).unwrap());
    let root = format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&store.root())
    );
    let work = open_dir(&Path::new(&root).join("work"));
    let lower = open_dir(lower);
    let dirs = mount::OverlayDirs {
        lowers: &[lower.as_fd()],
        upper_and_work: Some((upper.as_fd(), work.as_fd())),
    };
    let merged = mount::overlay_detached(dirs, &[], MountFlags::default()).unwrap();
    look(&path_of(&merged))
}

pub fn path_of(dir: &impl AsFd) -> PathBuf {
    PathBuf::from(format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&dir.as_fd())
    ))
}

pub fn open_dir(path: &Path) -> OwnedFd {
    rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Bits::empty(),
    )
    .unwrap()
}

pub fn mounted(node: &Path, fs_type: &str) -> DetachedMount {
    mount::detached(fs_type, Some(node), &[], MountFlags::default()).unwrap()
}

/// Whether the filesystem is sound once its journal has been replayed.
pub fn check_filesystem(node: &Path) {
    drop(mounted(node, "ext4"));
    let output = Tool::new("e2fsck")
        .args(["-fn", "--"])
        .arg(node)
        .run(&Cancel::new());
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        output.code,
        0,
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

pub fn run(tool: &str, args: &[&str]) -> Vec<u8> {
    Tool::new(tool)
        .args(args)
        .run(&Cancel::new())
        .unwrap()
        .stdout
}

pub fn script(tool: &str, args: &[&str], stdin: &str) {
    Tool::new(tool)
        .args(args)
        .stdin_bytes(stdin)
        .run(&Cancel::new())
        .unwrap();
}
