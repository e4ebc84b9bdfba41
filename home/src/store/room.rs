//! Room on the medium for the next checkpoint: without one a full log takes no change any more, not
//! even the removal of what fills the medium.

use super::Store;
use crate::medium::{Medium, MediumFile};
use std::io;

/// Checkpoint files grow by this.
pub(super) const GROWTH: u64 = 1 << 20;

impl<M: Medium> Store<M> {
    /// Whether the next checkpoint finds room when `bytes` more of records have been appended.
    #[must_use]
    pub fn has_reserve(&self, bytes: u64) -> bool {
        let slot = usize::from(1 - self.superblock.slot);
        // While one is being written, the one after it cannot be prepared.
        self.writing.is_some() || self.rooms[slot] >= self.at_most + bytes
    }

    /// Makes sure that the next checkpoint finds room when `bytes` more of records have been appended.
    ///
    /// All that is appended counts until the next checkpoint, though much of it replaces what was
    /// there. The file in force is never touched.
    ///
    /// # Errors
    /// `StorageFull` and others of ftruncate(2).
    pub fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        if self.has_reserve(bytes) {
            return Ok(());
        }
        let slot = usize::from(1 - self.superblock.slot);
        let needed = self.at_most + bytes;
        let (file, room) = (&self.checkpoints[slot], self.rooms[slot]);
        let generous = (needed + GROWTH).next_multiple_of(GROWTH);
        let mut grown = file.set_len(generous).map(|()| generous);
        if grown.is_err() {
            grown = file.set_len(needed).map(|()| needed);
        }
        if grown.is_err() {
            // A part of it would be of use to nobody, and others may get it.
            file.set_len(room)?;
            file.sync()?;
        }
        self.rooms[slot] = grown?;
        Ok(())
    }
}
