//! A compact list of entry names: one allocation for many, because a directory may hold a million.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, RawDir, SeekFrom, openat, seek};
use rustix::io::Errno;

use crate::facts::Facts;

/// Names stored back to back, each with its terminating NUL.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<u8>);

impl Names {
    pub fn push(&mut self, name: &CStr) {
        self.0.extend_from_slice(name.to_bytes_with_nul());
    }

    /// Removes the name pushed last.
    pub fn pop(&mut self) -> Option<CString> {
        let end = self.0.len().checked_sub(1)?;
        let start = self.0[..end]
            .iter()
            .rposition(|&byte| byte == 0)
            .map_or(0, |nul| nul + 1);
        let name = CStr::from_bytes_with_nul(&self.0[start..])
            .expect("pushed with its NUL")
            .into();
        self.0.truncate(start);
        Some(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &CStr> {
        self.0
            .split_inclusive(|&byte| byte == 0)
            .map(|name| CStr::from_bytes_with_nul(name).expect("pushed with its NUL"))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// Calls `each` with every entry of `dir` except `.` and `..`, from the beginning of the directory.
/// One that is removed meanwhile has no more entries.
pub(crate) fn list<E: From<Errno>>(
    dir: impl AsFd,
    mut each: impl FnMut(&CStr, FileType) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 32 * 1024];
    seek(&dir, SeekFrom::Start(0))?;
    let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = match entry {
            // What getdents64(2) answers of a removed directory.
            Err(Errno::NOENT) => break,
            entry => entry?,
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if let Some(kind) = kind(dir.as_fd(), name, entry.file_type())? {
            each(name, kind)?;
        }
    }
    Ok(())
}

/// Opens the file `name` in `dir` for reading, without touching its access time.
pub(crate) fn open_file(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    // Never waits for the other end of a fifo that took the file's place.
    let careful = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    openat(
        dir,
        name,
        OFlags::RDONLY | OFlags::NOATIME | OFlags::CLOEXEC | careful,
        Mode::empty(),
    )
}

/// The kind of an entry, asked for where the listing does not tell; none if it is gone meanwhile.
fn kind(dir: BorrowedFd<'_>, name: &CStr, kind: FileType) -> Result<Option<FileType>, Errno> {
    match kind {
        FileType::Unknown => match Facts::at(dir, name) {
            Ok(facts) => Ok(Some(facts.kind)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        },
        known => Ok(Some(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_directory_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let open = std::fs::File::open(dir.path()).unwrap();
        dir.close().unwrap();
        list(&open, |name, _| -> Result<(), Errno> {
            panic!("{name:?}");
        })
        .unwrap();
    }

    #[test]
    fn names_come_back_last_first() {
        let mut names = Names::default();
        names.push(c"one");
        names.push(c"two\n\xff");
        assert_eq!(names.iter().collect::<Vec<_>>(), [c"one", c"two\n\xff"]);
        assert_eq!(names.pop().as_deref(), Some(c"two\n\xff"));
        assert_eq!(names.pop().as_deref(), Some(c"one"));
        assert_eq!(names.pop(), None);
    }
}
