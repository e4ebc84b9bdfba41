//! What is found in one directory while it is listed.

use std::collections::HashSet;
use std::ffi::CStr;

use rustix::io::Errno;

use super::{Dir, Mirror};
use crate::Error;
use crate::index::Key;
use crate::names::Names;

/// The entries of a directory as they are found.
#[derive(Default)]
pub(super) struct Listing {
    /// All of them: an entry replaced while listing is found twice, but copied once.
    pub present: HashSet<Key>,
    pub subdirs: Names,
    pub files: Names,
    /// Names in `files`.
    pub count: usize,
}

impl Listing {
    pub fn add(&mut self, dir: &Dir, name: &CStr, is_dir: bool) {
        if !self.present.insert(dir.data.key.of(name)) {
            return;
        }
        if is_dir {
            Mirror::postpone(dir);
            self.subdirs.push(name);
        } else {
            self.files.push(name);
            self.count += 1;
        }
    }

    pub fn take_files(&mut self) -> Names {
        self.count = 0;
        std::mem::take(&mut self.files)
    }
}

/// Why a listing ended early.
pub(super) enum Stop {
    Read(Errno),
    Failed(Error),
}

impl Stop {
    pub fn named(self, dir: &Dir) -> Error {
        match self {
            Self::Read(errno) => Error::read(dir.path(), errno),
            Self::Failed(error) => error,
        }
    }
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Read(errno)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
