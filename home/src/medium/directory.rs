//! The real medium: an open directory of a mounted filesystem.
//!
//! Every path is resolved from the open directory with `RESOLVE_BENEATH` and without following
//! symbolic links, so a swapped component leads to an error, not elsewhere (openat2(2)).

use super::{Facts, Limits, Medium, Space};
use crate::parts::PART_SIZE;
use device::Device;
use resolve::{fat_hide, open_at, open_long, split_long, statx};
use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wendy_sys::mount;

mod device;
mod file;
mod lock;
mod resolve;
mod shown;
#[cfg(test)]
mod tests;

pub use file::DirectoryFile;
pub use shown::Shown;

/// With more directories than this to sync one by one, everything is.
const DIRS_MAX: usize = 16;
/// The longest file FAT can hold.
const FAT_FILE: u64 = u32::MAX as u64;

/// See the [module](self).
#[derive(Debug)]
pub struct DirectoryMedium {
    root: OwnedFd,
    part_size: u64,
    shown: Shown,
    /// Entries of directories that were read.
    seen: Arc<AtomicU64>,
    device: Option<Arc<Device>>,
}

impl DirectoryMedium {
    /// Uses the directory at `path`.
    ///
    /// # Errors
    /// Those of open(2) and fstatfs(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self::from_dir(fs::open(path, flags, Mode::empty())?)
    }

    /// Uses an open directory.
    ///
    /// # Errors
    /// Those of fstatfs(2).
    pub fn from_dir(root: OwnedFd) -> io::Result<Self> {
        let magic = fs::fstatfs(&root)?.f_type;
        let is_fat = magic == device::FAT;
        Ok(Self {
            device: Device::below(&root, magic).map(Arc::new),
            root,
            part_size: if is_fat { PART_SIZE } else { u64::MAX },
            shown: Shown::All,
            seen: Arc::default(),
        })
    }

    /// The same directory once more, of which only a part is shown. A [lock](Self::lock) of one is a
    /// lock of both.
    ///
    /// # Errors
    /// Those of fcntl(2).
    pub fn showing(&self, shown: Shown) -> io::Result<Self> {
        Ok(Self {
            root: rustix::io::fcntl_dupfd_cloexec(&self.root, 0)?,
            part_size: self.part_size,
            shown,
            seen: Arc::clone(&self.seen),
            device: self.device.clone(),
        })
    }

    /// Length of the longest file the filesystem can hold, in bytes; `u64::MAX` where that is none of
    /// our concern.
    #[must_use]
    pub fn file_max(&self) -> u64 {
        if self.is_fat() { FAT_FILE } else { u64::MAX }
    }

    fn is_fat(&self) -> bool {
        self.part_size == PART_SIZE
    }

    /// How many entries of directories have been read so far, for those who show how far it is.
    #[must_use]
    pub fn seen(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.seen)
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Hides an object from other systems' users, where the filesystem knows how.
    ///
    /// Only cosmetic, so failure is none: only FAT has the attribute.
    pub fn hide(&self, path: &str) {
        if let Ok(fd) = self.open_dir(path)
            && let Err(error) = fat_hide(&fd)
        {
            tracing::debug!(path, %error, "cannot hide");
        }
    }

    fn open_beneath(&self, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        if path != "." {
            self.shown.require(path)?;
        }
        match split_long(path) {
            None => open_at(self.root(), path, flags, mode),
            Some((head, rest)) => {
                let above = open_at(self.root(), head, OFlags::PATH, Mode::empty())?;
                open_long(above, rest, flags, mode)
            }
        }
    }

    /// Runs `operation` on the directory above `path` and the last component.
    fn at<T>(
        &self,
        path: &str,
        operation: impl FnOnce(BorrowedFd<'_>, &str) -> rustix::io::Result<T>,
    ) -> io::Result<T> {
        self.shown.require(path)?;
        let result = match path.rsplit_once('/') {
            None => operation(self.root(), path),
            Some((above, name)) => {
                let flags = OFlags::PATH | OFlags::DIRECTORY;
                operation(
                    self.open_beneath(above, flags, Mode::empty())?.as_fd(),
                    name,
                )
            }
        };
        Ok(result?)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        match self.open_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            opened => Ok(fs::fsync(opened?)?),
        }
    }

    fn file(&self, fd: OwnedFd) -> DirectoryFile {
        // When the kernel has written an inode of vfat back by itself, it has only marked the block of it,
        // and fsync(2) takes the inode for clean (`fat_write_inode`, `__generic_file_fsync` in Linux).
        // exFAT syncs the device by itself (`exfat_file_fsync`).
        let device = self.device.clone().filter(|_| self.is_fat());
        DirectoryFile { fd, device }
    }

    fn open_dir(&self, path: &str) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        self.open_beneath(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }
}

impl Medium for DirectoryMedium {
    type File = DirectoryFile;

    fn limits(&self) -> Limits {
        Limits {
            part_size: self.part_size,
        }
    }

    fn space(&self) -> io::Result<Space> {
        let stat = fs::fstatvfs(&self.root)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space {
            size: bytes(stat.f_blocks),
            free: bytes(stat.f_bavail),
            block: u32::try_from(stat.f_frsize).unwrap_or(4096),
        })
    }

    fn create(&self, path: &str) -> io::Result<DirectoryFile> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let fd = self.open_beneath(path, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(self.file(fd))
    }

    fn open(&self, path: &str) -> io::Result<DirectoryFile> {
        let fd = match self.open_beneath(path, OFlags::RDWR | OFlags::NONBLOCK, Mode::empty()) {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                self.open_beneath(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())?
            }
            other => other?,
        };
        Ok(self.file(fd))
    }

    fn make_dir(&self, path: &str) -> io::Result<()> {
        self.at(path, |dir, name| fs::mkdirat(dir, name, Mode::RWXU))
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.at(path, |dir, name| {
            fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
        })
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        self.at(path, |dir, name| fs::unlinkat(dir, name, AtFlags::empty()))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.at(from, |from_dir, from_name| {
            let renamed = self.at(to, |to_dir, to_name| {
                fs::renameat_with(from_dir, from_name, to_dir, to_name, RenameFlags::NOREPLACE)
            });
            renamed.map_err(|error| {
                rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
            })
        })
    }

    fn facts(&self, path: &str) -> io::Result<Facts> {
        self.at(path, |dir, name| {
            statx(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        })
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, Facts)>> {
        let dir = self.open_dir(path)?;
        let mut listed = Vec::new();
        for entry in fs::Dir::read_from(&dir)? {
            let entry = entry?;
            self.seen.fetch_add(1, Ordering::Relaxed);
            match entry.file_name().to_str() {
                Ok("." | "..") => {}
                Ok(name) if path.is_empty() && !self.shown.includes(name) => {}
                Ok(name) => match statx(dir.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(facts) => listed.push((name.to_owned(), facts)),
                    // A directory whose first cluster never reached the medium: not even removable.
                    Err(error) => tracing::warn!(directory = path, name, %error, "left out"),
                },
                Err(_) => tracing::warn!(directory = path, "left out a name that is not UTF-8"),
            }
        }
        Ok(listed)
    }

    fn sync_dirs(&self, paths: &[String]) -> io::Result<()> {
        match &self.device {
            // All of a new name stands in the directory. Of exFAT its length may stand elsewhere.
            Some(device) if self.is_fat() => return device.sync(),
            _ if paths.len() > DIRS_MAX => return self.sync_all(),
            _ => {}
        }
        paths.iter().try_for_each(|path| self.sync_dir(path))?;
        self.sync_names()
    }

    fn sync_moved(&self, path: &str) -> io::Result<()> {
        self.sync_dir(path)?;
        self.sync_names()
    }

    fn sync_names(&self) -> io::Result<()> {
        self.device.as_ref().map_or(Ok(()), |device| device.sync())
    }

    fn write_out(&self) -> io::Result<()> {
        by_number(mount::write_out(&self.root))
    }

    fn sync_all(&self) -> io::Result<()> {
        match &self.device {
            Some(device) => {
                self.write_out()?;
                device.sync()
            }
            None => by_number(mount::syncfs(&self.root)),
        }
    }
}

/// As the error of a system call, which a program is told in turn: by its number.
pub(crate) fn by_number<T>(result: wendy_sys::Result<T>) -> io::Result<T> {
    result.map_err(|error| error.errno().unwrap_or(Errno::IO).into())
}
