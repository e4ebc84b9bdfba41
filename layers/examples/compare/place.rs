//! Where copies go: an ext4 on a loop device in memory, mounted where only this process sees it.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, syncfs};
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount,
};
use wendy_layers::testing::{Disk, Mounted};

use crate::Outcome;

const SIZE: u64 = 2 << 30;

/// A fresh medium.
pub struct Medium {
    mount: Visible,
    disk: Disk,
}

impl Medium {
    pub fn new() -> Outcome<Self> {
        Self::with(SIZE, &[])
    }

    pub fn with(size: u64, args: &[&str]) -> Outcome<Self> {
        let disk = Disk::format(size, "ext4", args)?;
        let mount = Visible::new(disk.mount()?)?;
        fs::create_dir(mount.path("copy"))?;
        syncfs(mount.top.top())?;
        Ok(Self { mount, disk })
    }

    /// Runs `copy` and then writes everything out.
    pub fn synced<T>(&self, copy: impl FnOnce(&Visible) -> Outcome<T>) -> Outcome<T> {
        let done = copy(&self.mount)?;
        syncfs(self.mount.top.top())?;
        Ok(done)
    }

    /// Limits the device to `rate` bytes a second while the answer lives; none if that cannot be.
    pub fn throttle(&self, rate: u64) -> Outcome<Option<Throttle>> {
        let sysfs = self.disk.node().replace("/dev/", "/sys/block/");
        let devnum = fs::read_to_string(format!("{sysfs}/dev"))?;
        let throttle = Throttle(devnum.trim().to_owned());
        Ok(throttle.set(rate).is_ok().then_some(throttle))
    }
}

/// A limit on a device, for the root of the old control group hierarchy: what the kernel writes
/// back on its own counts there.
pub struct Throttle(String);

impl Throttle {
    fn set(&self, rate: u64) -> std::io::Result<()> {
        let file = "/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device";
        fs::write(file, format!("{} {rate}", self.0))
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        if let Err(error) = self.set(0) {
            eprintln!("the limit on {} stays: {error}", self.0);
        }
    }
}

/// A mount with a path of its own, which rsync insists on.
pub struct Visible {
    dir: tempfile::TempDir,
    top: Mounted,
}

impl Visible {
    pub fn new(top: Mounted) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        move_mount(
            &top,
            "",
            CWD,
            dir.path(),
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )?;
        Ok(Self { dir, top })
    }

    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(relative)
    }
}

impl Drop for Visible {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.dir.path(), UnmountFlags::DETACH) {
            eprintln!("{}: {error}", self.dir.path().display());
        }
    }
}

/// Keeps the mounts made here out of everybody else's sight.
pub fn hide_mounts() -> Outcome<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    Ok(mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?)
}
