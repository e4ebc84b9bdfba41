//! Where in the tree a directory is, without holding it open.
//!
//! A place is a name and its parent. Descriptors are opened when a directory is worked on and
//! closed right after, so neither depth nor width of a tree is limited by open files, and no path
//! is limited by `PATH_MAX`.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::EntryPath;

/// How directories are opened: never through a link, never leaving the tree or its filesystem.
const STAY: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// Longest relative path given to the kernel at once; its limit is 4,096 with the NUL.
const REACH: usize = 4000;

/// A directory of the tree with what a walk wants to remember about it.
#[derive(Debug)]
pub(crate) struct Place<T> {
    parent: Option<Arc<Place<T>>>,
    name: CString,
    pub data: T,
}

impl<T> Place<T> {
    /// The top of a tree.
    pub fn top(data: T) -> Arc<Self> {
        Arc::new(Self {
            parent: None,
            name: CString::default(),
            data,
        })
    }

    /// The directory `name` in `parent`.
    pub fn below(parent: Arc<Self>, name: CString, data: T) -> Arc<Self> {
        Arc::new(Self {
            parent: Some(parent),
            name,
            data,
        })
    }

    pub fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }

    /// The path from the top.
    pub fn path(&self) -> EntryPath {
        let mut path = EntryPath::new(Vec::new());
        for name in self.names() {
            path.push(name);
        }
        path
    }

    /// The path of the entry `name` in this directory.
    pub fn path_of(&self, name: &CStr) -> EntryPath {
        let mut path = self.path();
        path.push(name);
        path
    }

    /// Opens this directory of the tree that begins at `root`, for reading.
    pub fn open(&self, root: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        open_path(root, self.names())
    }

    /// Opens the directory `name` in this directory of the tree that begins at `root`.
    pub fn open_child(&self, root: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
        open_path(root, self.names().chain([name]))
    }

    fn names(&self) -> impl Iterator<Item = &CStr> {
        let mut chain = Vec::new();
        let mut place = self;
        while let Some(parent) = &place.parent {
            chain.push(place.name.as_c_str());
            place = parent;
        }
        chain.into_iter().rev()
    }
}

fn open_path<'n>(
    root: BorrowedFd<'_>,
    names: impl Iterator<Item = &'n CStr>,
) -> Result<OwnedFd, Errno> {
    let mut reached: Option<OwnedFd> = None;
    let mut path = EntryPath::new(Vec::new());
    for name in names {
        if path.as_bytes().len() + name.count_bytes() > REACH {
            reached = Some(open_dir(reached.as_ref().map_or(root, AsFd::as_fd), &path)?);
            path = EntryPath::new(Vec::new());
        }
        path.push(name);
    }
    open_dir(reached.as_ref().map_or(root, AsFd::as_fd), &path)
}

/// A chain of a hundred thousand places must not be dropped by recursion.
impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut place) = next.and_then(Arc::into_inner) {
            next = place.parent.take();
        }
    }
}

fn open_dir(dir: BorrowedFd<'_>, path: &EntryPath) -> Result<OwnedFd, Errno> {
    let path = if path.as_bytes().is_empty() {
        b"."
    } else {
        path.as_bytes()
    };
    open_below(dir, path)
}

/// Opens the directory `path` below `dir`, for reading, without touching its access time.
pub(crate) fn open_below(dir: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOATIME | OFlags::CLOEXEC;
    openat2(dir, path, flags, Mode::empty(), STAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_places_are_dropped_and_spelled() {
        let mut place = Place::top(());
        for _ in 0..300_000 {
            place = Place::below(place, c"d".into(), ());
        }
        assert_eq!(place.path_of(c"f").as_bytes().len(), 600_001);
    }
}
