//! Filesystems mounted without a place in the directory tree.
//!
//! A detached mount is a directory descriptor: files below it are opened with [`dir`](crate::dir),
//! nobody else sees it, and it is gone when the descriptor is closed, however the process ends.

mod context;
mod device;
mod filesystem;
mod idmap;
#[cfg(any(test, feature = "failpoints"))]
mod overlay;

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{self, Mode, OFlags},
    mount::{
        MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount,
    },
};

use crate::{Result, error::Context as _};

pub use device::of_device;
pub use filesystem::{Space, is_read_only, label, set_label, shut_down, space, syncfs, write_out};
pub use idmap::exchange_owner;
#[cfg(any(test, feature = "failpoints"))]
pub use overlay::{OverlayDirs, overlay_detached};

/// What a mount forbids; everything is allowed by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each one is a mount option of its own"
)]
pub struct MountFlags {
    /// No writes; also keeps the filesystem itself read-only when it is mounted anew.
    pub read_only: bool,
    /// Set-user-id bits and file capabilities have no effect.
    pub nosuid: bool,
    /// Device nodes cannot be opened.
    pub nodev: bool,
    /// Programs cannot be run.
    pub noexec: bool,
    /// Symbolic links are not followed (Linux 5.10).
    pub nosymfollow: bool,
    /// Reading leaves no trace in access times.
    pub noatime: bool,
}

impl MountFlags {
    /// Everything forbidden, for looking at a medium nobody vouches for.
    pub const UNTRUSTED: Self = Self {
        read_only: true,
        nosuid: true,
        nodev: true,
        noexec: true,
        nosymfollow: true,
        noatime: true,
    };

    /// Writable, but nothing on the medium gains power over this system.
    pub const STORE: Self = Self {
        read_only: false,
        ..Self::UNTRUSTED
    };

    fn attributes(self) -> MountAttrFlags {
        const NOSYMFOLLOW: MountAttrFlags = MountAttrFlags::from_bits_retain(0x0020_0000);
        let flags = [
            (self.read_only, MountAttrFlags::MOUNT_ATTR_RDONLY),
            (self.nosuid, MountAttrFlags::MOUNT_ATTR_NOSUID),
            (self.nodev, MountAttrFlags::MOUNT_ATTR_NODEV),
            (self.noexec, MountAttrFlags::MOUNT_ATTR_NOEXEC),
            (self.nosymfollow, NOSYMFOLLOW),
            (self.noatime, MountAttrFlags::MOUNT_ATTR_NOATIME),
        ];
        flags
            .into_iter()
            .filter(|(set, _)| *set)
            .map(|(_, flag)| flag)
            .collect()
    }
}

/// A mounted filesystem without a place in the tree; its descriptor is the root directory, open
/// for reading.
#[derive(Debug)]
pub struct DetachedMount {
    root: OwnedFd,
    /// The kernel takes the mount apart when this one is closed; it can be moved, but not read.
    tree: OwnedFd,
}

impl DetachedMount {
    pub(crate) fn new(tree: OwnedFd) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::openat(&tree, ".", flags, Mode::empty());
        Ok(Self {
            root: root.during(|| "open a mounted directory".into())?,
            tree,
        })
    }

    /// The descriptor by which another process can take the mount over.
    pub(crate) fn tree(&self) -> BorrowedFd<'_> {
        self.tree.as_fd()
    }
}

impl AsFd for DetachedMount {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

/// Mounts the filesystem `fs_type` on `source` with parameters such as `("noload", None)` or
/// `("mode", Some("0700"))`. An error carries the kernel's explanation.
pub fn detached(
    fs_type: &str,
    source: Option<&Path>,
    params: &[(&str, Option<&str>)],
    flags: MountFlags,
) -> Result<DetachedMount> {
    let mut context = context::Context::open(fs_type, source)?;
    for &(name, value) in params {
        context.set(name, value.map(Path::new))?;
    }
    context.mount(flags)
}

/// The kernel's name for the filesystem that udev and libblkid call `fs_type`.
pub fn kernel_name(fs_type: &str) -> &str {
    if fs_type == "ntfs" { "ntfs3" } else { fs_type }
}

/// A second mount of the tree at `path` below `dir`, detached and with restrictions of its own.
///
/// It shows the same files as the original, also those changed later. Mounts below the path are
/// left out: what they cover shows. A path in a mount that is itself detached gives `EINVAL` before
/// Linux 6.15.
pub fn clone_detached(
    dir: impl AsFd,
    path: impl AsRef<Path>,
    flags: MountFlags,
) -> Result<DetachedMount> {
    let path = path.as_ref();
    let what = || format!("clone the mount at {}", path.display());
    let cloned = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(dir, path, cloned).during(what)?;
    restrict(tree.as_fd(), flags)?;
    DetachedMount::new(tree)
}

/// Gives a detached mount a place: the directory `target`. It outlives the descriptor then.
pub fn attach(mount: &DetachedMount, target: impl AsFd) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount.tree(), "", target, "", flags).during(|| "attach a mount".into())
}

/// Takes the mount at `path` out of the tree. `lazy` lets users of open files keep them; otherwise
/// a mount in use gives `EBUSY`. A symbolic link at `path` is not followed.
pub fn detach(path: &Path, lazy: bool) -> Result<()> {
    let flags = if lazy {
        UnmountFlags::DETACH
    } else {
        UnmountFlags::empty()
    };
    unmount(path, flags | UnmountFlags::NOFOLLOW).during(|| format!("unmount {}", path.display()))
}

/// Adds restrictions to a mount.
fn restrict(mount: BorrowedFd<'_>, flags: MountFlags) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: u64::from(flags.attributes().bits()),
        // The access time mode is one value of several bits: it is cleared before it is set.
        attr_clr: if flags.noatime {
            libc::MOUNT_ATTR__ATIME
        } else {
            0
        },
        propagation: 0,
        userns_fd: 0,
    };
    set_attributes(mount, &attributes).during(|| "restrict a mount".into())
}

/// Changes a mount (mount_setattr(2), Linux 5.12).
#[allow(unsafe_code)]
fn set_attributes(mount: BorrowedFd<'_>, attributes: &libc::mount_attr) -> io::Result<()> {
    // SAFETY: the path is an empty C string and the structure has the size that is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            std::ptr::from_ref(attributes),
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

#[cfg(test)]
mod tests;
