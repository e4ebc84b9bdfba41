//! A home as an ext4 filesystem of its own in one file of the stick.
//!
//! For development trees and many small files, or a stick nobody reads on Windows: the kernel does
//! it all, at the speed of ext4. The file is [`FILE`] in the directory of the home, and it is a home
//! wherever there is no store of files beside it ([`mode`](crate::mode)).
//!
//! | room | concept |
//! |---|---|
//! | [`superblock`] | what the filesystem says about itself, read without trusting it |
//! | [`making`] | a new one, written out fully and named in last |
//! | [`check`] | e2fsck, which decides whether the kernel gets to see it |
//! | [`mounting`] | the loop device and the mount |
//! | [`serve`] | a mounted one, until it is unmounted |
//!
//! The file is a stranger's: it must be a regular file, is opened once, and what was opened is what is
//! used. It is mounted so that nothing in it gains power (`nosuid,nodev`), and for writing only when
//! e2fsck has nothing against it.

use crate::medium::directory::DirectoryMedium;
use crate::medium::{FactKind, Medium as _};
use rustix::fs::{FileType, OFlags, fstat};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use wendy_sys::dir;
use wendy_text::two_sizes;

pub mod check;
pub mod making;
pub mod mounting;
pub mod serve;
pub mod superblock;

pub use mounting::MountedImage;
use superblock::Superblock;

/// Name of the file, in the directory of the home.
pub const FILE: &str = "home.img";

/// Why there is no using an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is a link, a pipe, a directory.
    #[error("home.img is no regular file")]
    NoFile,
    /// There is no filesystem in it, or one that e2fsck will not repair without being asked.
    #[error("the filesystem in home.img is damaged ({0}): run wendy-home fsck --repair")]
    Damaged(String),
    /// Somebody uses it.
    #[error("home.img is in use already: {0} shows it")]
    Busy(PathBuf),
    /// A size that makes no sense.
    #[error("{0}")]
    Size(String),
    /// The medium is too full.
    #[error("not enough room on the stick: {} needed, {} free", two_sizes(*needed, *free).0, two_sizes(*needed, *free).1)]
    NoRoom {
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
    /// The kernel, or a tool.
    #[error(transparent)]
    System(#[from] wendy_sys::Error),
    /// The medium.
    #[error("home.img: {0}")]
    Io(#[from] io::Error),
}

impl From<rustix::io::Errno> for ImageError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

/// Result of what is done with an image.
pub type Result<T> = std::result::Result<T, ImageError>;

/// Whether there is something where the image of a home would be. An empty file is what a power
/// failure leaves of one that was being named.
///
/// # Errors
/// [`ImageError::NoFile`] if it is something that cannot be one.
pub fn exists(medium: &DirectoryMedium) -> Result<bool> {
    match medium.facts(FILE) {
        Ok(facts) if facts.kind == FactKind::File => Ok(facts.size > 0),
        Ok(facts) if facts.kind == FactKind::Directory => Ok(false),
        Ok(_) => Err(ImageError::NoFile),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// An open image.
#[derive(Debug)]
pub struct Image {
    file: File,
    read_only: bool,
}

impl Image {
    /// Opens the image of the home in a directory.
    ///
    /// # Errors
    /// [`ImageError::NoFile`], those of openat2(2).
    pub fn open(medium: &DirectoryMedium, read_only: bool) -> Result<Self> {
        Self::open_at(medium, FILE, read_only)
    }

    pub(crate) fn open_at(medium: &DirectoryMedium, path: &str, read_only: bool) -> Result<Self> {
        // Looked at before it is opened: to open a pipe or a device does something.
        if medium.facts(path)?.kind != FactKind::File {
            return Err(ImageError::NoFile);
        }
        let access = if read_only {
            OFlags::RDONLY
        } else {
            OFlags::RDWR
        };
        let file = File::from(dir::open_beneath(medium.root(), path, access)?);
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(ImageError::NoFile);
        }
        Ok(Self { file, read_only })
    }

    /// What the filesystem says about itself.
    ///
    /// # Errors
    /// [`ImageError::Damaged`] where there is none.
    pub fn superblock(&self) -> Result<Superblock> {
        let mut bytes = [0; superblock::SIZE];
        let read = self.file.read_exact_at(&mut bytes, superblock::OFFSET);
        match read {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.into()),
            _ => Superblock::parse(&bytes)
                .ok_or_else(|| ImageError::Damaged("it does not begin as one".into())),
        }
    }

    /// Length in bytes.
    ///
    /// # Errors
    /// Those of fstat(2).
    pub fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// By which tools that inherit the descriptor find it.
    fn proc_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}
