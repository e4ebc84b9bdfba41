//! What the tests of several rooms need: a real udev and loop devices as sticks.

mod udev;

use std::{
    fs::File,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use wendy_sys::{
    Cancel,
    loopdev::{Loop, LoopOptions},
    tool::Tool,
};

pub use udev::ensure_udev;

/// A loop device over a sparse file of its own, gone when dropped.
#[derive(Debug)]
pub struct Stick {
    device: Option<Loop>,
    image: PathBuf,
    _directory: TempDir,
}

impl Stick {
    /// Size in bytes.
    pub const SIZE: u64 = 64 << 20;

    /// A stick full of zeros.
    pub fn empty() -> Self {
        Self::made(|_| {})
    }

    /// A stick with an empty ext4.
    pub fn with_ext4(label: &str) -> Self {
        Self::made(|image| format(image, label))
    }

    /// A stick whose image was filled by `make` before it was plugged in.
    pub fn made(make: impl FnOnce(&Path)) -> Self {
        let options = LoopOptions {
            partscan: true,
            ..LoopOptions::default()
        };
        Self::with(options, make)
    }

    /// One that refuses writes, so that it can be [exchanged](Self::exchange).
    pub fn read_only(make: impl FnOnce(&Path)) -> Self {
        let options = LoopOptions {
            read_only: true,
            ..LoopOptions::default()
        };
        Self::with(options, make)
    }

    fn with(options: LoopOptions, make: impl FnOnce(&Path)) -> Self {
        let directory = TempDir::new().unwrap();
        let image = directory.path().join("stick.img");
        let file = File::create_new(&image).unwrap();
        file.set_len(Self::SIZE).unwrap();
        make(&image);
        let file = File::options().read(true).write(true).open(&image).unwrap();
        let device = Some(Loop::attach(file.as_fd(), options).unwrap());
        Self {
            device,
            image,
            _directory: directory,
        }
    }

    /// Its device node.
    pub fn node(&self) -> &Path {
        self.device.as_ref().unwrap().node()
    }

    /// The file behind it.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// Puts what is on `other` in the place of this medium, while its device is open.
    pub fn exchange(&self, other: &Stick) {
        let backing = File::open(other.image()).unwrap();
        let device = self.device.as_ref().unwrap();
        device.exchange(backing.as_fd()).unwrap();
    }

    /// Makes an ext4 on the plugged stick.
    pub fn format(&self, label: &str) {
        format(self.node(), label);
    }
}

/// Makes an ext4 on a device or in a file.
pub fn format(target: &Path, label: &str) {
    let mkfs = Tool::new("mkfs.ext4")
        .args(["-q", "-F", "-L", label])
        .arg(target);
    mkfs.run(&Cancel::default()).unwrap();
}
