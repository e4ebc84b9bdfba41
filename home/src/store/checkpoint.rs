//! Writing the whole table into the checkpoint that is not in force.

use super::{CHECKPOINT_MAX, Log, Store, Superblock, log};
use crate::medium::{Medium, MediumFile};
use crate::table::Table;
use std::io;

/// Checkpoint files grow by this, so that a full medium still takes the next one.
const GROWTH: u64 = 1 << 20;
const CHUNK: usize = 1 << 20;

impl<M: Medium> Store<M> {
    /// Writes `table` as the new checkpoint, makes it durable and lets the logs begin anew.
    ///
    /// `clean` says that this is an orderly end of use.
    ///
    /// # Errors
    /// Those of pwrite(2) and fsync(2); the last checkpoint and the logs still hold then.
    pub fn checkpoint(&mut self, table: &Table, clean: bool) -> io::Result<()> {
        self.logs[self.active].sync_data()?;
        self.durable = self.sequence;
        let bytes = log::payload(&table.snapshot());
        let slot = 1 - self.superblock.slot;
        write_checkpoint(&self.checkpoints[usize::from(slot)], &bytes)?;
        self.write_superblock(Superblock {
            generation: self.superblock.generation + 1,
            sequence: self.sequence,
            length: bytes.len() as u64,
            crc: crc32c::crc32c(&bytes),
            slot,
            clean,
            ..self.superblock.clone()
        })?;
        self.active = 1 - self.active;
        self.log = Log::after(0, self.superblock.epoch);
        Ok(())
    }
}

fn write_checkpoint(file: &impl MediumFile, bytes: &[u8]) -> io::Result<()> {
    let length = bytes.len() as u64;
    if length > CHECKPOINT_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    if file.facts()?.size < length {
        file.set_len((length + GROWTH).next_multiple_of(GROWTH))?;
    }
    for (chunk, offset) in bytes.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        file.write_at(chunk, offset)?;
    }
    file.sync()
}
