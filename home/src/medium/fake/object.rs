//! What a file is in memory, and what of it is on the disk.

use super::disk::errno;
use rustix::io::Errno;
use std::collections::HashSet;
use std::io;
use std::ops::Range;

/// Bytes that are written together.
const BLOCK: usize = 4096;

#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) is_dir: bool,
    pub(super) live: Vec<u8>,
    pub(super) durable: Option<Vec<u8>>,
    pub(super) modified: i64,
    pub(super) born: i64,
    /// Whether the next sync fails.
    pub(super) fails: bool,
    /// Blocks that could not be written. As with Linux they count as written until they are changed.
    pub(super) dropped: HashSet<usize>,
}

impl Object {
    /// Replaces or appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8], start: usize) {
        let end = start + bytes.len();
        self.live.resize(self.live.len().max(end), 0);
        self.live[start..end].copy_from_slice(bytes);
        let changed = start / BLOCK..end.div_ceil(BLOCK);
        self.dropped.retain(|block| !changed.contains(block));
    }

    /// Makes the content durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.fails) {
            let blocks = 0..self.live.len().div_ceil(BLOCK);
            let dirty: Vec<_> = blocks.filter(|block| self.is_dirty(*block)).collect();
            self.dropped.extend(dirty);
            return Err(errno(Errno::IO));
        }
        let before = self.durable.take().unwrap_or_default();
        let mut after = self.live.clone();
        for at in self.dropped.iter().flat_map(|block| bytes_of(*block)) {
            if let Some(byte) = after.get_mut(at) {
                *byte = before.get(at).copied().unwrap_or_default();
            }
        }
        self.durable = Some(after);
        Ok(())
    }

    fn is_dirty(&self, block: usize) -> bool {
        let durable = self.durable.as_deref().unwrap_or_default();
        bytes_of(block).any(|at| self.live.get(at) != durable.get(at))
    }
}

fn bytes_of(block: usize) -> Range<usize> {
    block * BLOCK..(block + 1) * BLOCK
}
