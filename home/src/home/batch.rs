//! Batches: records applied one by one and logged together, so they come back together or not at all.

use super::{Errno, Ino, Medium, Record, Result, State, Time, errno, inode_record};
use crate::store::LOG_SIZE;

/// More than any one operation logs: the largest xattr and a dozen small records.
const ROOM: u64 = 96 << 10;
/// Bytes of the log that are left to changes that take nothing on the medium, so that there is always
/// a way to make room.
const LAST_RESORT: u64 = LOG_SIZE / 4;
/// Most inodes dropped with one change.
const FORGOTTEN_MAX: usize = 64;

/// Records of one operation.
#[derive(Debug, Default)]
pub(super) struct Batch {
    records: Vec<Record>,
}

impl Batch {
    /// Whether there is nothing to log.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl<M: Medium> State<M> {
    /// Starts a change: the home is writable and the log has room.
    pub(super) fn begin(&mut self) -> Result<Batch> {
        let batch = self.begin_with(ROOM + LAST_RESORT)?;
        if self.store.has_reserve(ROOM) {
            return Ok(batch);
        }
        self.sync_cut()?;
        if self.store.reserve(ROOM).is_err() {
            // What the next checkpoint takes is known exactly behind one.
            let written = self.store.checkpoint(&self.table, false);
            written
                .and_then(|()| self.store.reserve(ROOM))
                .map_err(errno)?;
        }
        Ok(batch)
    }

    /// Starts a change that removes something, or records what has happened to the medium already: on
    /// a full one as well.
    pub(super) fn begin_in_any_case(&mut self) -> Result<Batch> {
        self.begin_with(ROOM)
    }

    fn begin_with(&mut self, room: u64) -> Result<Batch> {
        self.require_sound()?;
        if !self.store.has_room(room) {
            self.checkpoint()?;
        }
        Ok(Batch::default())
    }

    /// Fails when memory and log have parted.
    pub(super) fn require_sound(&self) -> Result<()> {
        match self.failed {
            true => Err(Errno::IO),
            false => Ok(()),
        }
    }

    /// Writes a checkpoint while everybody waits.
    pub(super) fn checkpoint(&mut self) -> Result<()> {
        self.sync_cut()?;
        self.store.checkpoint(&self.table, false).map_err(errno)
    }

    /// Applies one record of a change.
    pub(super) fn apply(&mut self, batch: &mut Batch, record: Record) -> Result<()> {
        if let Err(broken) = self.table.apply(&record) {
            tracing::error!(%broken, "refused a change of our own; the home is read-only from here");
            self.failed = true;
            return Err(Errno::IO);
        }
        batch.records.push(record);
        Ok(())
    }

    /// Ends a change: its records stand in the log, and with them what was forgotten before.
    pub(super) fn finish(&mut self, mut batch: Batch) -> Result<()> {
        for ino in std::mem::take(&mut self.forgotten) {
            if self.is_unused(ino) {
                self.forget_content(ino);
                self.apply(&mut batch, Record::InodeGone(ino))?;
            }
        }
        self.changes += 1;
        self.store.append(&batch.records).map_err(|error| {
            self.failed = true;
            errno(error)
        })
    }

    /// A change of one record, on a full medium as well.
    pub(super) fn record_one(&mut self, record: Record) -> Result<()> {
        let mut batch = self.begin_in_any_case()?;
        self.apply(&mut batch, record)?;
        self.finish(batch)
    }

    /// Applies a change of attributes.
    pub(super) fn apply_inode(
        &mut self,
        batch: &mut Batch,
        ino: Ino,
        change: impl FnOnce(&mut super::Inode),
    ) -> Result<()> {
        change(self.table.inode_mut(ino).ok_or(Errno::NOENT)?);
        let record = inode_record(&self.table, ino)?;
        self.apply(batch, record)
    }

    /// Notes that the content of directory `dir` changed at `now`.
    pub(super) fn touch_dir(&mut self, batch: &mut Batch, dir: Ino, now: Time) -> Result<()> {
        self.apply_inode(batch, dir, |inode| {
            inode.times.modified = now;
            inode.times.changed = now;
        })
    }

    /// Notes that the attributes of `ino` changed at `now`.
    pub(super) fn touch(&mut self, batch: &mut Batch, ino: Ino, now: Time) -> Result<()> {
        self.apply_inode(batch, ino, |inode| inode.times.changed = now)
    }

    /// Whether nothing leads to `ino` any more.
    pub(super) fn is_unused(&self, ino: Ino) -> bool {
        ino != Ino::ROOT
            && self.table.inode(ino).is_some()
            && self.table.names(ino).is_empty()
            && !self.held.contains_key(&ino)
            && !self.files.contains_key(&ino)
            && !self.readers.contains_key(&ino)
    }

    /// Drops an inode with the next change, if nothing leads to it any more: nobody waits for that, and
    /// an inode without names does not come back.
    pub(super) fn drop_soon(&mut self, ino: Ino) -> Result<()> {
        if self.is_unused(ino) {
            self.forgotten.push(ino);
        }
        if self.forgotten.len() >= FORGOTTEN_MAX {
            return self.drop_forgotten();
        }
        Ok(())
    }

    /// Drops what was forgotten now.
    pub(super) fn drop_forgotten(&mut self) -> Result<()> {
        if self.forgotten.is_empty() {
            return Ok(());
        }
        let batch = self.begin_in_any_case()?;
        self.finish(batch)
    }

    fn forget_content(&mut self, ino: Ino) {
        self.dirty.remove(&ino);
        self.mapped.remove(&ino);
    }

    /// Removes an inode without names unless someone still has it open.
    pub(super) fn drop_if_unused(&mut self, ino: Ino) -> Result<()> {
        if !self.is_unused(ino) {
            return Ok(());
        }
        self.forget_content(ino);
        let mut batch = self.begin_in_any_case()?;
        self.apply(&mut batch, Record::InodeGone(ino))?;
        self.finish(batch)
    }
}
