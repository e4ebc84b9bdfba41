//! Counting what a tree holds.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::facts::Facts;

/// What a tree, or a part of it, amounts to. A file with several names counts its data once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Names of every kind, the top of the tree included.
    pub entries: u64,
    /// Names of regular files.
    pub files: u64,
    /// Bytes of data to write: sizes less holes.
    pub bytes: u64,
    /// Bytes allocated in the source.
    pub allocated: u64,
}

/// Totals that several threads add to.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    entries: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    allocated: AtomicU64,
}

impl Counter {
    /// Counts a name of an inode, and the inode's data as well unless it was counted before.
    pub fn add(&self, facts: &Facts, with_data: bool) {
        add(&self.entries, 1);
        if facts.is_file() {
            add(&self.files, 1);
        }
        if with_data {
            add(&self.allocated, facts.allocated);
            add(&self.bytes, facts.data());
        }
    }

    pub fn totals(&self) -> Totals {
        Totals {
            entries: self.entries.load(Ordering::Relaxed),
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            allocated: self.allocated.load(Ordering::Relaxed),
        }
    }
}

fn add(counter: &AtomicU64, value: u64) {
    counter.fetch_add(value, Ordering::Relaxed);
}
