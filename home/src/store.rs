//! The store: records on the medium, so that no acknowledged change is ever lost.
//!
//! # Files in `.wendy/`
//!
//! | file | content |
//! |---|---|
//! | `super.0`, `super.1` | which checkpoint holds, 4096 bytes each ([`superblock`]) |
//! | `ckpt.0`, `ckpt.1` | the whole table as records, end to end |
//! | `log.0`, `log.1` | changes since, 4 MiB each, written with zeros at creation ([`log`]) |
//! | `tmp/` | lower files that wait for their name, called by their inode number in hexadecimal |
//! | `VERSION.txt` | what this is, in plain words |
//!
//! No file of the store is ever renamed, removed or replaced while in use: FAT can do none of that
//! safely. Everything is overwritten in place, in the copy that is *not* in force, and made durable
//! before the superblock, written to alternating files, puts it in force.
//!
//! # Reading
//!
//! Take the valid superblock with the higher generation. Read `length` bytes of its checkpoint and
//! compare their CRC-32C. Read the frames of both logs; apply those with a sequence number above
//! the checkpoint's, in order, until the first that is missing.
//!
//! # Changing
//!
//! A change is one frame, appended at once to the page cache of the log, durable after
//! [`Ticket::sync`]. When a log is half full a checkpoint begins, and with it the other log, if it
//! holds nothing that is still needed. After a sync the next frame starts a new block of 4 KiB, so
//! a torn write cannot reach an acknowledged frame.

use crate::medium::{Medium, MediumFile};
use crate::record::Record;
use crate::table::{Broken, Table};
use std::io;
use std::sync::Arc;

mod checkpoint;
pub mod log;
mod log_file;
mod open;
mod room;
pub mod superblock;

pub use checkpoint::Checkpoint;
pub use open::{Opened, create, last_use};

use checkpoint::Outcome;
use log::Log;
use log_file::LogFile;
use superblock::Superblock;

/// Bytes of each log.
pub const LOG_SIZE: u64 = if cfg!(test) { 256 << 10 } else { 4 << 20 };
/// Largest checkpoint accepted: some three million files.
const CHECKPOINT_MAX: u64 = 512 << 20;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error("no home here: make one with wendy-home create")]
    Missing,
    /// Its metadata is damaged beyond the last good copy.
    #[error("the metadata is damaged ({0}): run wendy-home fsck --repair")]
    Damaged(String),
    /// It was written by a newer version.
    #[error("the metadata has format {0}, this version reads up to {max}: use a newer wendy-home", max = superblock::FORMAT)]
    Newer(u32),
    /// Another computer, or another program here, has used it while it was away.
    #[error("it has been used elsewhere since it was pulled: log out, and in again")]
    UsedElsewhere,
    /// The medium failed.
    #[error("cannot read the metadata: {0}")]
    Io(#[from] io::Error),
}

impl From<Broken> for OpenError {
    fn from(broken: Broken) -> Self {
        Self::Damaged(broken.to_string())
    }
}

/// An open store. One process may have it open at a time; see [`Opened`].
#[derive(Debug)]
pub struct Store<M: Medium> {
    supers: [Arc<M::File>; 2],
    checkpoints: [Arc<M::File>; 2],
    logs: [Arc<LogFile<M::File>>; 2],
    superblock: Superblock,
    log: Log,
    active: usize,
    sequence: u64,
    durable: u64,
    /// The last change before the log at hand began.
    switched_at: u64,
    /// Whether the other log holds nothing but what the checkpoint in force contains.
    other_is_free: bool,
    /// The checkpoint being written, with the superblock that will put it in force.
    writing: Option<(Arc<Outcome>, Superblock)>,
    /// Bytes that each checkpoint file has room for.
    rooms: [u64; 2],
    /// Bytes that the next checkpoint has at most.
    at_most: u64,
}

/// A promise of durability to be kept without holding the store.
#[derive(Debug)]
pub struct Ticket<M: Medium> {
    /// Logs to sync, the elder first.
    logs: Vec<Arc<LogFile<M::File>>>,
    sequence: u64,
}

impl<M: Medium> Ticket<M> {
    /// Waits until the medium has the frames; tell the store with [`Store::committed`].
    ///
    /// # Errors
    /// Those of fdatasync(2). The frames become durable with the next [checkpoint](Store::checkpoint) then,
    /// and in no other way.
    pub fn sync(&self) -> io::Result<()> {
        self.logs.iter().try_for_each(|log| log.sync())
    }
}

impl<M: Medium> Store<M> {
    /// What the superblock says.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Number of the last change.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether changes wait to be made durable.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.durable < self.sequence
    }

    /// Whether it is time for a checkpoint: the log is half full.
    #[must_use]
    pub fn wants_checkpoint(&self) -> bool {
        self.log.position() > LOG_SIZE / 2
    }

    /// Whether a change of `bytes` fits the log.
    #[must_use]
    pub fn has_room(&self, bytes: u64) -> bool {
        self.log.has_room(bytes)
    }

    /// Appends one atomic change.
    ///
    /// # Errors
    /// `StorageFull` without [room](Self::has_room), else those of pwrite(2).
    pub fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let file = &self.logs[self.active].file;
        self.at_most += self.log.append(file, self.sequence + 1, records)?;
        self.sequence += 1;
        Ok(())
    }

    /// Begins to make all changes so far durable; `None` when they are.
    pub fn commit(&mut self) -> Option<Ticket<M>> {
        if !self.is_dirty() {
            return None;
        }
        self.log.close_block();
        Some(Ticket {
            logs: self.unsynced_logs().cloned().collect(),
            sequence: self.sequence,
        })
    }

    /// Whether changes wait that only a [checkpoint](Self::checkpoint) makes durable, since a sync of the
    /// log has failed.
    #[must_use]
    pub fn needs_checkpoint(&self) -> bool {
        self.is_dirty() && self.unsynced_logs().any(|log| log.is_broken())
    }

    /// Logs with changes that are not durable, the elder first.
    fn unsynced_logs(&self) -> impl Iterator<Item = &Arc<LogFile<M::File>>> {
        let elder = &self.logs[1 - self.active];
        let elder = (self.durable < self.switched_at).then_some(elder);
        elder.into_iter().chain([&self.logs[self.active]])
    }

    /// Notes that `ticket` has been kept.
    pub fn committed(&mut self, ticket: &Ticket<M>) {
        self.durable = self.durable.max(ticket.sequence);
    }

    fn write_superblock(&mut self, superblock: Superblock) -> io::Result<()> {
        let file = &self.supers[superblock.file()];
        file.write_at(&superblock.encode(), 0)?;
        file.sync_data()?;
        self.superblock = superblock;
        Ok(())
    }
}

/// A table as the bytes of a checkpoint.
fn encode_table(table: &Table) -> Vec<u8> {
    log::payload(&table.snapshot())
}

#[cfg(test)]
mod tests;
