//! The upper layer as a directory.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, OFlags, Stat, fstat, stat},
    io::Errno,
};
use wendy_sys::{
    dir,
    mount::{self, DetachedMount, MountFlags, Space, clone_detached},
    mountinfo::{self, Mount},
};

use super::{
    Error, Persistence,
    facts::{BootFacts, RootOverlay, block_device, mount_holding},
    note,
};
use crate::error::os;

/// Nothing can be changed, run or opened as a device through a mount like this.
const READ_ONLY: MountFlags = MountFlags {
    nosymfollow: false,
    ..MountFlags::UNTRUSTED
};

/// Filesystems that are gone at shutdown.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "rootfs"];

/// An upper directory, open behind a read-only mount of its own.
#[derive(Debug)]
pub struct UpperDir {
    directory: OwnedFd,
    mount: Mount,
    path: PathBuf,
    /// The directory stays readable only as long as its mount.
    _tree: DetachedMount,
}

impl UpperDir {
    /// The upper directory of a stack that mounts it where everybody can see it.
    ///
    /// # Errors
    /// As [`UpperDir::within`].
    pub fn visible(facts: &BootFacts, overlay: &RootOverlay) -> Result<Self, Error> {
        let path = note::read(overlay.devnum).map_or_else(|| followed(&overlay.upper), Ok)?;
        let mount = mount_holding(&facts.mounts, &path)
            .ok_or_else(|| Error::Layout(format!("{} is on no known mount", path.display())))?;
        let within = path
            .strip_prefix(&mount.mount_point)
            .expect("the mount holds the path");
        let tree = clone_detached(CWD, &mount.mount_point, READ_ONLY)?;
        let upper = Self::within(tree, mount.clone(), within)?;
        note::keep(overlay.devnum, &path);
        Ok(upper)
    }

    /// The directory `within` of `tree`, a read-only clone of `mount`; a path without links.
    ///
    /// # Errors
    /// When it is not there, cannot be opened, or is not the one that the system runs from.
    pub fn within(tree: DetachedMount, mount: Mount, within: &Path) -> Result<Self, Error> {
        // An empty path would be refused.
        let place = if within == Path::new("") {
            Path::new(".")
        } else {
            within
        };
        let directory = dir::open_beneath(&tree, place, OFlags::RDONLY | OFlags::DIRECTORY)?;
        check_running(&directory)?;
        let path = mount
            .root
            .strip_prefix("/")
            .unwrap_or(&mount.root)
            .join(within);
        Ok(Self {
            directory,
            mount,
            path,
            _tree: tree,
        })
    }

    /// Opens it once more.
    pub(super) fn open(&self) -> Result<OwnedFd, wendy_sys::Error> {
        dir::open_beneath(&self.directory, ".", OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Room on its filesystem.
    pub(super) fn space(&self) -> Result<Space, wendy_sys::Error> {
        mount::space(&self.directory)
    }

    /// What becomes of it at shutdown.
    pub(super) fn persistence(&self) -> Persistence {
        if IN_MEMORY
            .iter()
            .any(|fs_type| self.mount.fs_type == *fs_type)
        {
            return Persistence::Volatile;
        }
        match block_device(&self.mount) {
            Some(device) => Persistence::Kept {
                device,
                path: self.path.clone(),
            },
            None => Persistence::Unknown,
        }
    }

    /// Whether the kernel takes no more writes to its filesystem after an error. In newer kernels
    /// ext4 does not become read-only then, but has a mark of its own (`emergency_ro`).
    pub(super) fn given_up(&self) -> bool {
        let is_marked = |mount: &Mount| {
            mount.devnum == self.mount.devnum && mount.super_option("emergency_ro").is_some()
        };
        mountinfo::read().is_ok_and(|mounts| mounts.iter().any(is_marked))
    }

    /// The mount of its filesystem, as the stack made it.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// Its path in its filesystem, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn followed(path: &Path) -> Result<PathBuf, Error> {
    let missing = |error| Error::Layout(format!("{} cannot be found: {error}", path.display()));
    path.canonicalize().map_err(missing)
}

/// How often to look at a directory in which something may happen between two looks.
const LOOKS: usize = 3;

/// Refuses a directory that is not the upper one of the root directory: that shows the times of its
/// upper directory (`ovl_getattr` in Linux, fs/overlayfs/inode.c), which no other one has. Its inode
/// number it does not always show.
fn check_running(directory: &OwnedFd) -> Result<(), Error> {
    let times = |stat: Stat| {
        let Stat {
            st_mtime,
            st_mtime_nsec,
            st_ctime,
            st_ctime_nsec,
            ..
        } = stat;
        [(st_mtime, st_mtime_nsec), (st_ctime, st_ctime_nsec)]
    };
    let is_same = || Ok::<_, Errno>(times(stat("/")?) == times(fstat(directory)?));
    for _ in 0..LOOKS {
        if is_same().map_err(os("look at the root directory"))? {
            return Ok(());
        }
    }
    let why = "the links to the upper layer do not lead to that of the running system any more";
    Err(Error::Layout(why.into()))
}
