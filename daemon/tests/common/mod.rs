//! Media for the tests: images on loop devices, and a udev that sees them.

use std::{
    fs::{self, File},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::io::Errno;
use tempfile::TempDir;
use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice},
    loopdev::{Loop, LoopOptions},
    tool::Tool,
};
use wendyd::model::{DeviceId, Hub, World};

/// An image on a loop device, gone when dropped.
#[derive(Debug)]
pub struct Medium {
    device: Loop,
    image: PathBuf,
    _directory: TempDir,
}

impl Medium {
    /// The file `image` in `directory`.
    pub fn new(directory: TempDir) -> Self {
        let image = directory.path().join("image");
        let file = File::options().read(true).write(true).open(&image).unwrap();
        let device = Loop::attach(file.as_fd(), LoopOptions::default()).unwrap();
        Self {
            device,
            image,
            _directory: directory,
        }
    }

    /// An ext4, filled when it is made, with the features wendy's own stores have.
    pub fn ext4(label: &str, fill: impl FnOnce(&Path)) -> Self {
        Self::new(ext4_image(label, fill))
    }

    /// What the daemon calls it.
    pub fn id(&self) -> DeviceId {
        let device = BlockDevice::open(self.node(), Access::Read).unwrap();
        DeviceId::disk(device.identity().diskseq)
    }

    /// Its node.
    pub fn node(&self) -> &Path {
        self.device.node()
    }

    /// The file behind it.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// All that is on it.
    pub fn bytes(&self) -> Vec<u8> {
        fs::read(&self.image).unwrap()
    }
}

/// The file `image` with an ext4.
pub fn ext4_image(label: &str, fill: impl FnOnce(&Path)) -> TempDir {
    let (directory, tree) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fill(tree.path());
    let image = sized(&directory, 4 << 20);
    let mkfs = Tool::new("mkfs.ext4").args(["-q", "-F", "-O", "ea_inode,metadata_csum"]);
    run(mkfs.args(["-L", label, "-d"]).arg(tree.path()).arg(&image));
    directory
}

/// An empty file `image`.
pub fn sized(directory: &TempDir, bytes: u64) -> PathBuf {
    let image = directory.path().join("image");
    File::create(&image).unwrap().set_len(bytes).unwrap();
    image
}

/// Waits for a world in which `wanted` finds something.
pub fn eventually<T>(hub: &Hub, what: &str, wanted: impl Fn(&World) -> Option<T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut watcher = hub.watch();
    let search = async {
        loop {
            let world = watcher.changed().await.unwrap();
            if let Some(found) = wanted(&world) {
                return found;
            }
        }
    };
    let in_time = async { tokio::time::timeout(Duration::from_secs(120), search).await };
    runtime
        .block_on(in_time)
        .unwrap_or_else(|_| panic!("no {what}: {:#?}", hub.snapshot()))
}

/// Runs a tool that has to succeed.
pub fn run(tool: Tool<'_>) {
    tool.run(&Cancel::default()).unwrap();
}

/// A mount, gone when dropped.
#[derive(Debug)]
pub struct Mounted(TempDir);

impl Mounted {
    /// Mounts a device for reading and writing.
    pub fn new(node: &Path, fs_type: &str) -> Self {
        let place = TempDir::new().unwrap();
        let flags = rustix::mount::MountFlags::empty();
        patiently(|| rustix::mount::mount(node, place.path(), fs_type, flags, None));
        Self(place)
    }

    /// Where.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Brings everything to the medium.
    pub fn sync(&self) {
        wendy_sys::mount::syncfs(File::open(self.path()).unwrap()).unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        patiently(|| rustix::mount::unmount(self.path(), rustix::mount::UnmountFlags::empty()));
    }
}

/// A program that is just being started holds all our descriptors until it runs, and keeps what
/// they are open on busy.
fn patiently(mut action: impl FnMut() -> rustix::io::Result<()>) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match action() {
            Ok(()) => return,
            Err(Errno::BUSY) if Instant::now() < deadline => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}
