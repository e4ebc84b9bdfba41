//! The real medium: an open directory of a mounted filesystem.
//!
//! Every path is resolved from the open directory with `RESOLVE_BENEATH` and without following
//! symbolic links, so a swapped component leads to an error, not elsewhere (openat2(2)).

use super::{FactKind, Facts, Limits, Medium, MediumFile, Space};
use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags, ResolveFlags, StatxFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// `f_type` of vfat and msdos (statfs(2), `MSDOS_SUPER_MAGIC`).
const FAT_MAGIC: i64 = 0x4d44;
/// FAT takes 4 GiB − 1; a whole number of the largest clusters below that.
const FAT_PART: u64 = (4 << 30) - (64 << 10);
/// Longest path given to one system call, well below `PATH_MAX`.
const PATH_CHUNK: usize = 3800;

/// See the [module](self).
#[derive(Debug)]
pub struct DirectoryMedium {
    root: OwnedFd,
    part_size: u64,
}

/// A file of a [`DirectoryMedium`].
#[derive(Debug)]
pub struct DirectoryFile {
    fd: OwnedFd,
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
        let is_fat = fs::fstatfs(&root)?.f_type == FAT_MAGIC;
        Ok(Self {
            root,
            part_size: if is_fat { FAT_PART } else { u64::MAX },
        })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Keeps all others out who ask, until the medium is dropped.
    ///
    /// # Errors
    /// `WouldBlock` when someone else has it.
    pub fn lock(&self) -> io::Result<()> {
        Ok(fs::flock(
            &self.root,
            fs::FlockOperation::NonBlockingLockExclusive,
        )?)
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
        Ok(DirectoryFile { fd })
    }

    fn open(&self, path: &str) -> io::Result<DirectoryFile> {
        let fd = match self.open_beneath(path, OFlags::RDWR | OFlags::NONBLOCK, Mode::empty()) {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                self.open_beneath(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())?
            }
            other => other?,
        };
        Ok(DirectoryFile { fd })
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
            match entry.file_name().to_str() {
                Ok("." | "..") => {}
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

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        Ok(fs::fsync(self.open_dir(path)?)?)
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(fs::syncfs(&self.root)?)
    }
}

impl MediumFile for DirectoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match rustix::io::pread(&self.fd, &mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match rustix::io::pwrite(&self.fd, &bytes[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Ok(fs::ftruncate(&self.fd, length)?)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(fs::fsync(&self.fd)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(fs::fdatasync(&self.fd)?)
    }

    fn facts(&self) -> io::Result<Facts> {
        Ok(statx(self.fd.as_fd(), "", AtFlags::EMPTY_PATH)?)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }
}

/// Sets the hidden attribute by `FAT_IOCTL_SET_ATTRIBUTES` (linux/msdos_fs.h).
fn fat_hide(fd: &OwnedFd) -> rustix::io::Result<()> {
    const SET_ATTRIBUTES: rustix::ioctl::Opcode = rustix::ioctl::opcode::write::<u32>(b'r', 0x11);
    const HIDDEN_DIRECTORY: u32 = 0x02 | 0x10;
    // SAFETY: the request reads one u32 behind the pointer, as linux/msdos_fs.h defines it.
    #[allow(unsafe_code)]
    unsafe {
        let set = rustix::ioctl::Setter::<SET_ATTRIBUTES, u32>::new(HIDDEN_DIRECTORY);
        rustix::ioctl::ioctl(fd, set)
    }
}

fn open_at(dir: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = flags | OFlags::CLOEXEC;
    loop {
        // A concurrent rename elsewhere makes the kernel give up with EAGAIN: try again.
        match fs::openat2(dir, path, flags, mode, resolve) {
            Err(rustix::io::Errno::AGAIN) => {}
            other => return Ok(other?),
        }
    }
}

fn open_long(above: OwnedFd, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let (mut above, mut path) = (above, path);
    while let Some((head, rest)) = split_long(path) {
        above = open_at(above.as_fd(), head, OFlags::PATH, Mode::empty())?;
        path = rest;
    }
    open_at(above.as_fd(), path, flags, mode)
}

/// Splits a path too long for one system call at a `/`.
fn split_long(path: &str) -> Option<(&str, &str)> {
    if path.len() <= PATH_CHUNK {
        return None;
    }
    let at = path.as_bytes()[..PATH_CHUNK]
        .iter()
        .rposition(|b| *b == b'/')?;
    Some((&path[..at], &path[at + 1..]))
}

fn statx(dir: BorrowedFd<'_>, name: &str, flags: AtFlags) -> rustix::io::Result<Facts> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let stat = fs::statx(dir, name, flags, wanted)?;
    let kind = match fs::FileType::from_raw_mode(stat.stx_mode.into()) {
        fs::FileType::Directory => FactKind::Directory,
        fs::FileType::RegularFile => FactKind::File,
        _ => FactKind::Other,
    };
    let has_born = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
    Ok(Facts {
        kind,
        size: stat.stx_size,
        allocated: stat.stx_blocks * 512,
        modified: stat.stx_mtime.tv_sec,
        modified_nanos: stat.stx_mtime.tv_nsec,
        born: if has_born { stat.stx_btime.tv_sec } else { 0 },
    })
}
