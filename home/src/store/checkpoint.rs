//! Writing the whole table into the checkpoint that is not in force, beside the work going on.
//!
//! A checkpoint begins with a copy of the table in memory and, if the other log is free, with that
//! log: what changes from here is no part of the checkpoint. Its bytes are then written without the
//! store. Until the new superblock is durable the old checkpoint and both logs hold.

use super::{CHECKPOINT_MAX, Log, LogFile, Store, Superblock, encode_table};
use crate::medium::{Medium, MediumFile};
use crate::table::Table;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

const CHUNK: usize = 1 << 20;

/// A checkpoint to be written without holding the store.
#[derive(Debug)]
pub struct Checkpoint<M: Medium> {
    bytes: Vec<u8>,
    superblock: Superblock,
    /// Holds changes the checkpoint contains; durable before if it can be, so that the one before can
    /// serve.
    log: Arc<LogFile<M::File>>,
    file: Arc<M::File>,
    superblock_file: Arc<M::File>,
    outcome: Arc<Outcome>,
}

/// How the writing of a checkpoint ended, for whoever waits for it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    ended: Mutex<Option<io::Result<()>>>,
    told: Condvar,
}

impl Outcome {
    /// The first word counts.
    fn tell(&self, result: io::Result<()>) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.get_or_insert(result);
        self.told.notify_all();
    }

    fn wait(&self) -> io::Result<()> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = ended.take() {
                return result;
            }
            ended = self
                .told
                .wait(ended)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<M: Medium> Checkpoint<M> {
    /// Writes it; [`Store::conclude`] learns how that ended.
    pub fn write(self) {
        if let Err(error) = self.log.sync() {
            tracing::warn!(%error, "the log cannot be written; the checkpoint holds what it should");
        }
        self.outcome.tell(self.put_in_force());
    }

    fn put_in_force(&self) -> io::Result<()> {
        write_checkpoint(&*self.file, &self.bytes)?;
        self.superblock_file
            .write_at(&self.superblock.encode(), 0)?;
        self.superblock_file.sync_data()
    }
}

impl<M: Medium> Drop for Checkpoint<M> {
    /// Nobody may wait for what is never going to be written.
    fn drop(&mut self) {
        self.outcome.tell(Err(io::ErrorKind::Interrupted.into()));
    }
}

impl<M: Medium> Store<M> {
    /// Writes `table` as the new checkpoint, makes it durable and lets the logs begin anew.
    ///
    /// `clean` says that this is an orderly end of use.
    ///
    /// # Errors
    /// Those of pwrite(2) and fsync(2); the last checkpoint and the logs still hold then.
    pub fn checkpoint(&mut self, table: &Table, clean: bool) -> io::Result<()> {
        if let Err(error) = self.conclude() {
            tracing::warn!(%error, "a checkpoint failed; trying again");
        }
        self.prepare(table, clean).write();
        self.conclude()?;
        // Nothing has changed since: this log is as free as the other.
        self.switch_log();
        Ok(())
    }

    /// Begins a checkpoint beside the work; `None` while one is being written.
    pub fn begin_checkpoint(&mut self, table: &Table) -> Option<Checkpoint<M>> {
        if self.writing.is_some() {
            return None;
        }
        let checkpoint = self.prepare(table, false);
        if self.other_is_free {
            self.switch_log();
            self.other_is_free = false;
        }
        Some(checkpoint)
    }

    /// Waits for the checkpoint being written, if there is one, and puts it in force.
    ///
    /// # Errors
    /// Those of writing it; the last checkpoint and the logs still hold then.
    pub fn conclude(&mut self) -> io::Result<()> {
        let Some((outcome, superblock)) = self.writing.take() else {
            return Ok(());
        };
        outcome.wait()?;
        self.durable = self.durable.max(superblock.sequence);
        self.other_is_free = true;
        let room = &mut self.rooms[usize::from(superblock.slot)];
        *room = superblock.length.max(*room);
        self.superblock = superblock;
        Ok(())
    }

    fn prepare(&mut self, table: &Table, clean: bool) -> Checkpoint<M> {
        let bytes = encode_table(table);
        self.at_most = bytes.len() as u64;
        let slot = 1 - self.superblock.slot;
        let superblock = Superblock {
            generation: self.superblock.generation + 1,
            sequence: self.sequence,
            length: bytes.len() as u64,
            crc: crc32c::crc32c(&bytes),
            slot,
            clean,
            ..self.superblock.clone()
        };
        let outcome = Arc::new(Outcome::default());
        self.writing = Some((Arc::clone(&outcome), superblock.clone()));
        Checkpoint {
            bytes,
            log: Arc::clone(&self.logs[self.active]),
            file: Arc::clone(&self.checkpoints[usize::from(slot)]),
            superblock_file: Arc::clone(&self.supers[superblock.file()]),
            superblock,
            outcome,
        }
    }

    fn switch_log(&mut self) {
        self.active = 1 - self.active;
        self.logs[self.active].begin_anew();
        self.log = Log::after(0, self.superblock.epoch);
        self.switched_at = self.sequence;
    }
}

fn write_checkpoint(file: &impl MediumFile, bytes: &[u8]) -> io::Result<()> {
    let length = bytes.len() as u64;
    if length > CHECKPOINT_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    if file.facts()?.size < length {
        file.set_len(length)?;
    }
    for (chunk, offset) in bytes.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        file.write_at(chunk, offset)?;
    }
    file.sync()
}
