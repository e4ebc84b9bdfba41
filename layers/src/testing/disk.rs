//! Filesystems for a test, gone when dropped.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

/// A mounted filesystem that has no mount point.
#[derive(Debug)]
pub struct Mounted(OwnedFd);

impl Mounted {
    /// Its top directory, open for reading.
    ///
    /// # Panics
    /// When the top cannot be opened.
    pub fn top(&self) -> File {
        File::open(self.path("")).expect("the top of a mounted filesystem opens")
    }

    /// A path that leads to `relative` inside it from any process of root.
    pub fn path(&self, relative: &str) -> PathBuf {
        let top = format!("/proc/{}/fd/{}/", std::process::id(), self.0.as_raw_fd());
        Path::new(&top).join(relative)
    }
}

impl AsFd for Mounted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A tmpfs, which is what the upper of a live system is on.
///
/// # Errors
/// What the kernel says.
pub fn tmpfs() -> io::Result<Mounted> {
    mount("tmpfs", &[("size", Some("16g")), ("mode", Some("0755"))])
}

/// An overlay with default options plus those given.
#[derive(Debug)]
pub struct Overlay;

impl Overlay {
    /// Mounts `upper` with `work` over `lower`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn mount(
        lower: &Path,
        upper: &Path,
        work: &Path,
        options: &[(&str, Option<&str>)],
    ) -> io::Result<Mounted> {
        let text = |path: &Path| path.to_str().expect("test paths are UTF-8").to_owned();
        let (lower, upper, work) = (text(lower), text(upper), text(work));
        let mut all = vec![
            ("lowerdir", Some(&*lower)),
            ("upperdir", Some(&*upper)),
            ("workdir", Some(&*work)),
        ];
        all.extend_from_slice(options);
        mount("overlay", &all)
    }
}

/// A block device over a file in memory, with a filesystem on it.
#[derive(Debug)]
pub struct Disk {
    node: String,
    kind: String,
    /// Whether the device is still ours to detach.
    attached: Cell<bool>,
}

impl Disk {
    /// A device of `size` bytes, formatted as `kind` (`ext4`, `btrfs`, `xfs`) with extra arguments.
    ///
    /// # Errors
    /// When a tool is missing or fails.
    pub fn format(size: u64, kind: &str, args: &[&str]) -> io::Result<Self> {
        let backing = tempfile::tempfile_in("/dev/shm")?;
        backing.set_len(size)?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), backing.as_raw_fd());
        let node = tool("losetup", ["--find", "--show", &path])?
            .trim()
            .to_owned();
        let disk = Self {
            node,
            kind: kind.into(),
            attached: Cell::new(true),
        };
        let quiet = if kind == "ext4" { "-qF" } else { "-q" };
        tool(
            &format!("mkfs.{kind}"),
            [&[quiet], args, &[disk.node.as_str()]].concat(),
        )?;
        Ok(disk)
    }

    /// The device's node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Mounts it, once, with the kernel's default options. The device then goes with the mount,
    /// even if this process is killed.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn mount(&self) -> io::Result<Mounted> {
        let mounted = mount(&self.kind, &[("source", Some(&self.node))])?;
        tool("losetup", ["--detach", &self.node])?;
        self.attached.set(false);
        Ok(mounted)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if !self.attached.get() {
            return;
        }
        if let Err(error) = tool("losetup", ["--detach", &self.node]) {
            eprintln!("{}: {error}", self.node);
        }
    }
}

fn mount(kind: &str, options: &[(&str, Option<&str>)]) -> io::Result<Mounted> {
    let fs = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        match value {
            Some(value) => fsconfig_set_string(&fs, *name, *value)?,
            None => fsconfig_set_flag(&fs, *name)?,
        }
    }
    fsconfig_create(&fs)?;
    Ok(Mounted(fsmount(
        &fs,
        FsMountFlags::FSMOUNT_CLOEXEC,
        // Whoever compares must not change what is compared.
        MountAttrFlags::MOUNT_ATTR_NOATIME,
    )?))
}

/// Runs a tool to its end and returns what it printed.
///
/// # Errors
/// When it cannot be run or fails, with what it said.
#[allow(
    clippy::disallowed_methods,
    reason = "tests compare with tools wendy does not use"
)]
pub fn tool<S: AsRef<OsStr>>(name: &str, args: impl IntoIterator<Item = S>) -> io::Result<String> {
    let output = Command::new(name).args(args).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!(
            "{name}: {}: {said}",
            output.status
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
