//! Durability: what fsync promises, the regular commit, the orderly end.

use super::{Errno, Home, Ino, Medium, Result, State, errno};
use crate::parts::SplitFile;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};

impl<M: Medium> Home<M> {
    /// Makes the content of `ino`, its names and all changes before durable.
    ///
    /// # Errors
    /// Those of fsync(2).
    pub fn sync_file(&self, ino: Ino) -> Result<()> {
        self.sync_content(ino)?;
        self.state().record_content(ino)?;
        self.sync_names()
    }

    /// Makes all changes of names and attributes durable, as fsync(2) on a directory asks.
    ///
    /// # Errors
    /// Those of fsync(2).
    pub fn sync_names(&self) -> Result<()> {
        let _syncing = self.syncing();
        self.sync_cut()?;
        self.tighten_dirs()?;
        self.commit_log()
    }

    /// Makes all records durable without waiting for content: the regular commit, every few
    /// seconds, with [`Home::write_back`] beside it. Writes nothing when nothing has changed.
    ///
    /// # Errors
    /// Those of the medium.
    pub fn commit(&self) -> Result<()> {
        let _syncing = self.syncing();
        self.record_all()?;
        self.commit_written()?;
        self.checkpoint_if_due()
    }

    /// Makes all records durable, and what was written back before: one flush of the medium does for
    /// both.
    fn commit_written(&self) -> Result<()> {
        let written = std::mem::take(&mut self.state().written);
        let committed = if written && !self.state().store.is_dirty() {
            self.sync_medium()
        } else {
            self.commit_log()
        };
        if committed.is_err() {
            self.state().written |= written;
        }
        committed
    }

    /// Gives names and content to the medium, which takes as long as there is much of it: all that is
    /// recorded. They are durable with the next commit. Nobody waits for it but who wants to move
    /// something.
    ///
    /// # Errors
    /// Those of the medium.
    pub fn write_back(&self) -> Result<()> {
        if !std::mem::take(&mut self.state().unwritten) {
            return Ok(());
        }
        let _moving = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        let given = self.medium.write_out();
        // If it has failed because of names, that is not to be forgotten.
        let given = given.inspect_err(|_| self.medium.sync_names().unwrap_or_default());
        let mut state = self.state();
        match given {
            Ok(()) => state.written = true,
            Err(_) => (state.unwritten, state.lost) = (true, true),
        }
        given.map_err(errno)
    }

    /// Makes everything durable, content included.
    ///
    /// # Errors
    /// Those of the medium, also if something has been lost since the last time.
    pub fn flush(&self) -> Result<()> {
        let _syncing = self.syncing();
        self.record_all()?;
        self.sync_medium()?;
        self.commit_log()?;
        self.state().take_loss()
    }

    /// Makes everything durable, settles all names, writes a checkpoint: the orderly end of use.
    ///
    /// # Errors
    /// Those of the medium, also if something has been lost since the last [`Home::flush`]; nothing
    /// durable is lost by one.
    pub fn close(&self) -> Result<()> {
        self.let_go()?;
        self.settle()?;
        let _syncing = self.syncing();
        self.record_all()?;
        self.sync_medium()?;
        let mut state = self.state();
        state.take_loss()?;
        state.end()
    }

    /// Ends all uses of files: of a filesystem that is gone the kernel need not say what it forgets.
    fn let_go(&self) -> Result<()> {
        self.record_all()?;
        let mut state = self.state();
        state.held.clear();
        state.readers.clear();
        state.files.clear();
        drop(state);
        self.drop_nameless()
    }

    /// Number of changes so far, to see whether the home is idle.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// Makes the content of `ino` durable.
    pub(super) fn sync_content(&self, ino: Ino) -> Result<()> {
        let cuts = self.state().cut.count();
        let Some(file) = self.dirty_content(ino)? else {
            return Ok(());
        };
        let moving = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        let mut synced = file.sync().map_err(errno);
        if file.take_failure() {
            synced = synced.and(Err(Errno::IO));
        }
        drop(moving);
        let mut state = self.state();
        state.content_synced(ino);
        if synced.is_err() {
            state.note_content(ino);
        } else {
            state.cut.synced(&file, cuts);
        }
        synced
    }

    /// Appends what is known of open and forgotten files but not recorded.
    pub(super) fn record_all(&self) -> Result<()> {
        let mut state = self.state();
        state.drop_forgotten()?;
        let open: Vec<Ino> = state.files.keys().copied().collect();
        open.into_iter()
            .try_for_each(|ino| state.record_content(ino))
    }

    /// Makes all records durable; the caller holds `syncing`.
    pub(super) fn commit_log(&self) -> Result<()> {
        let Some(ticket) = self.begin_commit()? else {
            return Ok(());
        };
        ticket.sync().map_err(errno)?;
        self.state().store.committed(&ticket);
        Ok(())
    }

    /// Writes a checkpoint when it is time, while others go on; the caller holds `syncing`.
    fn checkpoint_if_due(&self) -> Result<()> {
        if !self.state().store.wants_checkpoint() {
            return Ok(());
        }
        self.sync_cut()?;
        let begun = {
            let mut state = self.state();
            state.require_sound()?;
            let State { store, table, .. } = &mut *state;
            store.begin_checkpoint(table)
        };
        if let Some(checkpoint) = begun {
            checkpoint.write();
        }
        self.state().store.conclude().map_err(errno)
    }

    pub(super) fn syncing(&self) -> MutexGuard<'_, ()> {
        self.syncing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_commit(&self) -> Result<Option<crate::store::Ticket<M>>> {
        let mut state = self.state();
        state.require_sound()?;
        if state.store.needs_checkpoint() {
            state.checkpoint()?;
        }
        Ok(state.store.commit())
    }

    /// The content of `ino` if it may not be durable; counts as durable from here for what is
    /// written later, and only after [`State::content_synced`] for who syncs it meanwhile.
    fn dirty_content(&self, ino: Ino) -> Result<Option<Arc<SplitFile<M::File>>>> {
        let mut state = self.state();
        let open = state.files.get(&ino);
        let unseen = open.is_some_and(|open| open.unseen)
            || state.mapped.contains(&ino)
            || state.in_sync.contains(&ino);
        let file = open.map(|open| Arc::clone(&open.file));
        if !state.dirty.remove(&ino) && !unseen {
            return Ok(None);
        }
        let file = file.map_or_else(|| self.load(&state, ino), Ok)?;
        state.in_sync.push(ino);
        Ok(Some(file))
    }
}

impl<M: Medium> State<M> {
    /// Notes content of `ino` that is not durable.
    pub(super) fn note_content(&mut self, ino: Ino) {
        self.dirty.insert(ino);
        self.unwritten = true;
    }

    /// Fails once for what could not be written back.
    fn take_loss(&mut self) -> Result<()> {
        match std::mem::take(&mut self.lost) {
            true => Err(Errno::IO),
            false => Ok(()),
        }
    }

    /// Writes the checkpoint of an orderly end.
    fn end(&mut self) -> Result<()> {
        self.require_sound()?;
        match self.store.checkpoint(&self.table, true) {
            // It is all in the log, and the next use looks at everything.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                tracing::warn!("the stick is full: the next use begins with a longer look at it");
                Ok(())
            }
            written => written.map_err(errno),
        }
    }

    /// Ends one sync of the content of `ino`.
    fn content_synced(&mut self, ino: Ino) {
        if let Some(at) = self.in_sync.iter().position(|other| *other == ino) {
            self.in_sync.swap_remove(at);
        }
    }
}
