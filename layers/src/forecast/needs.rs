//! What a save needs on an ext4 destination.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FileType;

use crate::facts::Facts;

/// What ext4 allocates: whole blocks for data, names in the blocks of directories, and inodes,
/// whose tables exist already.
#[derive(Default)]
pub(super) struct Needs {
    blocks: AtomicU64,
    names: AtomicU64,
    inodes: AtomicU64,
}

impl Needs {
    const BLOCK: u64 = 4096;

    /// Every generation has directories of its own; each name takes part of a block in one, and
    /// a record in the manifest.
    pub fn name(&self, name: &CStr, facts: &Facts) {
        // Directory blocks are half empty after a split, hence twice.
        self.names
            .fetch_add(2 * (name.count_bytes() as u64 + 12) + 15, Ordering::Relaxed);
        if facts.is_dir() {
            self.blocks.fetch_add(1, Ordering::Relaxed);
            self.inodes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What a changed entry needs beside its name: data, and now and then a block for extended
    /// attributes, a long link target or a map of extents.
    pub fn inode(&self, facts: &Facts) {
        if facts.is_dir() {
            return;
        }
        self.inodes.fetch_add(1, Ordering::Relaxed);
        let inline = facts.kind == FileType::Symlink && facts.size < 60;
        let bytes = if inline {
            0
        } else {
            facts
                .data()
                .max(facts.allocated)
                .max(u64::from(facts.kind == FileType::Symlink))
        };
        self.blocks
            .fetch_add(bytes.div_ceil(Self::BLOCK), Ordering::Relaxed);
    }

    /// Bytes for all of it, with some to spare.
    pub fn space(&self) -> u64 {
        let blocks = self.blocks.load(Ordering::Relaxed) * Self::BLOCK;
        blocks + blocks / 100 + self.names.load(Ordering::Relaxed) + self.inodes() * 128 + (1 << 20)
    }

    /// Number of inodes.
    pub fn inodes(&self) -> u64 {
        self.inodes.load(Ordering::Relaxed)
    }
}
