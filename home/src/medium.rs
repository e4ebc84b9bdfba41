//! The medium: the few operations asked of the lower filesystem.
//!
//! Paths are relative to the directory that holds the home, components joined by `/`. Nothing
//! outside that directory is ever reached. The lower filesystem compares names without case, keeps
//! times coarsely, renames without atomicity and forgets what was not synced; callers know.

use crate::parts::PART_SIZE;
use std::io;
use std::os::fd::BorrowedFd;

pub mod directory;
#[cfg(test)]
pub mod fake;
pub mod preview;

/// What the lower filesystem can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of each part but the last of a file too long for one piece, in bytes.
    pub part_size: u64,
}

impl Limits {
    /// The same for a file that is in several parts already: it may have been copied from a FAT medium to
    /// one that takes longer files.
    #[must_use]
    pub fn part_size_of_split(&self) -> u64 {
        self.part_size.min(PART_SIZE)
    }
}

/// Space of the medium in bytes and its files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Space {
    /// Capacity.
    pub size: u64,
    /// Free.
    pub free: u64,
    /// Allocation unit.
    pub block: u32,
}

/// What a lower object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// Anything else; FAT has none.
    Other,
}

/// What the lower filesystem says about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: FactKind,
    /// Length in bytes.
    pub size: u64,
    /// Bytes the medium spends on it.
    pub allocated: u64,
    /// Modification time in seconds since 1970.
    pub modified: i64,
    /// Nanoseconds on top, as exact as the filesystem keeps them.
    pub modified_nanos: u32,
    /// Creation time in seconds since 1970; 0 when the filesystem does not say.
    pub born: i64,
}

/// A lower directory or file. Operations follow the system calls of the same name.
pub trait Medium: std::fmt::Debug + Send + Sync + 'static {
    /// An open file.
    type File: MediumFile;

    /// What it can hold.
    fn limits(&self) -> Limits;
    /// How full it is.
    ///
    /// # Errors
    /// Those of statfs(2).
    fn space(&self) -> io::Result<Space>;
    /// Makes a new file; fails with `EEXIST` when the name is taken in any case.
    ///
    /// # Errors
    /// Those of openat(2).
    fn create(&self, path: &str) -> io::Result<Self::File>;
    /// Opens a file for reading and writing, for reading only on a read-only medium.
    ///
    /// # Errors
    /// Those of openat(2).
    fn open(&self, path: &str) -> io::Result<Self::File>;
    /// Makes a directory.
    ///
    /// # Errors
    /// Those of mkdirat(2).
    fn make_dir(&self, path: &str) -> io::Result<()>;
    /// Removes an empty directory.
    ///
    /// # Errors
    /// Those of unlinkat(2).
    fn remove_dir(&self, path: &str) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// Those of unlinkat(2).
    fn unlink(&self, path: &str) -> io::Result<()>;
    /// Renames without replacing. Neither atomic nor durable.
    ///
    /// # Errors
    /// Those of renameat2(2).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Looks at an object.
    ///
    /// # Errors
    /// Those of statx(2).
    fn facts(&self, path: &str) -> io::Result<Facts>;
    /// The names and objects in a directory, "" for the top. Names that are not UTF-8 and objects the
    /// filesystem cannot look at are left out.
    ///
    /// # Errors
    /// Those of getdents(2) and statx(2).
    fn list(&self, path: &str) -> io::Result<Vec<(String, Facts)>>;
    /// Makes the names in directories durable; those that are not there are left out.
    ///
    /// # Errors
    /// Those of fsync(2).
    fn sync_dirs(&self, paths: &[String]) -> io::Result<()>;
    /// Makes durable where a directory has been moved to, and the names in it.
    ///
    /// # Errors
    /// Those of fsync(2).
    fn sync_moved(&self, path: &str) -> io::Result<()>;
    /// Makes all names durable, where that can be had apart from the content.
    ///
    /// # Errors
    /// Those of fsync(2), again and again once something was lost.
    fn sync_names(&self) -> io::Result<()>;
    /// Gives everything to the medium, which may keep it in a memory of its own until the next sync.
    ///
    /// # Errors
    /// Those of syncfs(2).
    fn write_out(&self) -> io::Result<()>;
    /// Makes everything durable.
    ///
    /// # Errors
    /// Those of syncfs(2).
    fn sync_all(&self) -> io::Result<()>;
}

/// An open lower file.
pub trait MediumFile: std::fmt::Debug + Send + Sync + 'static {
    /// Reads at an offset; fewer bytes only at the end.
    ///
    /// # Errors
    /// Those of pread(2).
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all at an offset; a gap before it reads as zeros.
    ///
    /// # Errors
    /// Those of pwrite(2).
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or extends with zeros.
    ///
    /// # Errors
    /// Those of ftruncate(2).
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Makes content and length durable; the name needs [`Medium::sync_dirs`].
    ///
    /// # Errors
    /// Those of fsync(2).
    fn sync(&self) -> io::Result<()>;
    /// Makes content durable where the length has not changed.
    ///
    /// # Errors
    /// Those of fdatasync(2).
    fn sync_data(&self) -> io::Result<()>;
    /// Looks at it.
    ///
    /// # Errors
    /// Those of fstat(2).
    fn facts(&self) -> io::Result<Facts>;
    /// The descriptor, to hand to the kernel.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// Takes what is not there for removed.
///
/// # Errors
/// All others.
pub fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
