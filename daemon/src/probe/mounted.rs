//! A tree read by the kernel, through a mount nobody else sees.

use std::{
    fs::File,
    io::Read,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    time::Duration,
};

use rustix::fs::{AtFlags, FileType, OFlags, readlinkat, statat};
use wendy_sys::{
    Errno,
    block::BlockDevice,
    dir::{entries, open_beneath},
    mount::{DetachedMount, MountFlags, kernel_name, of_device, space},
};

use super::{
    report::{Kind, Space},
    tree::{TooLarge, Tree},
};
use crate::patience::patiently;

/// Mount parameters: names and values.
type Parameters = &'static [(&'static str, Option<&'static str>)];

/// Filesystems that are mounted for a look, as libblkid names them, and what keeps each from
/// replaying a journal, which would write to the medium even though it is mounted read-only
/// (btrfs(5), xfs(5)).
const READ_BY_KERNEL: [(&str, Parameters); 8] = [
    ("vfat", &[]),
    ("exfat", &[]),
    ("ntfs", &[]),
    ("btrfs", &[("rescue", Some("nologreplay"))]),
    ("xfs", &[("norecovery", None), ("nouuid", None)]),
    ("iso9660", &[]),
    ("squashfs", &[]),
    ("erofs", &[]),
];

/// Whether a filesystem may be mounted for a look.
pub fn reads(fs_type: &str) -> bool {
    parameters(fs_type).is_some()
}

fn parameters(fs_type: &str) -> Option<Parameters> {
    let known = READ_BY_KERNEL.iter().find(|(name, _)| *name == fs_type);
    known.map(|(_, parameters)| *parameters)
}

/// How long somebody who has it mounted for writing, where we do not see it, may take to unmount
/// it: such a mount and a read-only one exclude each other.
const FOR_OTHERS: Duration = Duration::from_secs(3);

/// Whether an error says that somebody has the filesystem mounted for writing.
pub fn is_busy(error: &wendy_sys::Error) -> bool {
    error.errno() == Some(Errno::BUSY)
}

/// The root of a filesystem.
#[derive(Debug)]
pub struct MountedTree<R>(R);

impl MountedTree<DetachedMount> {
    /// Mounts the filesystem on `device`.
    pub fn mount(fs_type: &str, device: &BlockDevice) -> anyhow::Result<Self> {
        let Some(params) = parameters(fs_type) else {
            anyhow::bail!("filesystems of type {fs_type} are not mounted for a look");
        };
        let (name, flags) = (kernel_name(fs_type), MountFlags::UNTRUSTED);
        let mounted = patiently(FOR_OTHERS, || of_device(name, device, params, flags));
        Ok(Self(mounted?))
    }
}

impl<R: AsFd> MountedTree<R> {
    /// A filesystem that somebody else mounted.
    pub fn from_root(root: R) -> Self {
        Self(root)
    }

    fn directory(&self, path: &str) -> Option<OwnedFd> {
        open_beneath(&self.0, here(path), OFlags::RDONLY | OFlags::DIRECTORY).ok()
    }

    /// The directory a path ends in, and the last name.
    fn parent<'a>(&self, path: &'a str) -> Option<(OwnedFd, &'a str)> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        Some((self.directory(parent)?, name))
    }
}

impl<R: AsFd> Tree for MountedTree<R> {
    fn entries(&self, path: &str, most: usize) -> (Vec<(String, Kind)>, bool) {
        let Some(directory) = self.directory(path) else {
            return (Vec::new(), false);
        };
        let Ok(found) = entries(&directory) else {
            return (Vec::new(), true);
        };
        let more = found.len() > most;
        let named = found.into_iter().take(most).map(|entry| {
            let kind = kind_at(directory.as_fd(), &entry.name).unwrap_or(Kind::Other);
            (
                String::from_utf8_lossy(entry.name.as_bytes()).into_owned(),
                kind,
            )
        });
        (named.collect(), more)
    }

    fn kind(&self, path: &str) -> Option<Kind> {
        let (parent, name) = self.parent(path)?;
        kind_at(parent.as_fd(), name)
    }

    fn read(&self, path: &str, most: usize) -> Option<Result<Vec<u8>, TooLarge>> {
        let mut bytes = Vec::new();
        self.open(path)?
            .take(most as u64 + 1)
            .read_to_end(&mut bytes)
            .ok()?;
        Some(if bytes.len() > most {
            Err(TooLarge)
        } else {
            Ok(bytes)
        })
    }

    fn link(&self, path: &str) -> Option<String> {
        let (parent, name) = self.parent(path)?;
        let target = readlinkat(parent, name, Vec::new()).ok()?;
        target.into_string().ok()
    }

    fn open(&self, path: &str) -> Option<File> {
        if self.kind(path)? != Kind::File {
            return None;
        }
        open_beneath(&self.0, path, OFlags::RDONLY)
            .ok()
            .map(File::from)
    }

    fn space(&self) -> Space {
        let space = space(&self.0).unwrap_or_default();
        Space {
            size: space.size,
            free: space.available,
        }
    }

    fn clean(&self) -> bool {
        false
    }

    fn needs_check(&self) -> bool {
        false
    }
}

fn here(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

fn kind_at(directory: BorrowedFd<'_>, name: impl AsRef<Path>) -> Option<Kind> {
    let stat = statat(directory, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    })
}
