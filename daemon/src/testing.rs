//! What the tests of several rooms need: a real udev and loop devices as sticks.

use std::{
    fs::File,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::Once,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use wendy_sys::{
    Cancel,
    loopdev::{Loop, LoopOptions},
    tool::Tool,
};

/// Starts udev on a machine that runs none, such as a container. It stays: other test programs
/// may rely on it by then.
pub fn ensure_udev() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let control = Path::new("/run/udev/control");
        if !control.exists() {
            #[allow(
                clippy::disallowed_methods,
                reason = "the runner does not start daemons"
            )]
            let status = std::process::Command::new("/lib/systemd/systemd-udevd")
                .args(["--daemon", "--resolve-names=never"])
                .status()
                .unwrap();
            assert!(status.success(), "systemd-udevd did not start");
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while !control.exists() {
            assert!(
                Instant::now() < deadline,
                "systemd-udevd has no control socket"
            );
            std::thread::yield_now();
        }
    });
}

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
        let directory = TempDir::new().unwrap();
        let image = directory.path().join("stick.img");
        let file = File::create_new(&image).unwrap();
        file.set_len(Self::SIZE).unwrap();
        make(&image);
        let file = File::options().read(true).write(true).open(&image).unwrap();
        let options = LoopOptions {
            partscan: true,
            ..LoopOptions::default()
        };
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

    /// Makes an ext4 on the plugged stick.
    pub fn format(&self, label: &str) {
        format(self.node(), label);
    }
}

fn format(target: &Path, label: &str) {
    let mkfs = Tool::new("mkfs.ext4")
        .args(["-q", "-F", "-L", label])
        .arg(target);
    mkfs.run(&Cancel::default()).unwrap();
}
