//! Settling: giving lower objects the names and places the table wants, and removing garbage.
//!
//! Renaming on FAT writes the new name, the inode and the removal of the old name in any order, and
//! a crash between can lose the file. Many names share a block, so syncing any other file may write
//! the removal and not the new name. So everything is made durable first, nobody else may sync
//! content meanwhile, and each object is synced as soon as it is renamed: that writes its new name,
//! before the kernel comes to write back the old one by itself (it waits for seconds). A crash in
//! between finds the object at its recorded place or at the wanted one, and
//! [reconciliation](super::reconcile) takes either.
//!
//! The records of it all are written once the old names are durably gone: a name that is still
//! there and stands in no record would be taken for a stranger's file. And only what a durable
//! record calls garbage is removed.

use super::{Home, Ino, Medium, Result};
use settler::Settler;
use std::collections::HashSet;
use std::sync::PoisonError;
use std::thread::sleep;
use std::time::Duration;

mod settler;

/// Time between two rounds: a lock goes to who asks for it first.
const BREATH: Duration = Duration::from_millis(1);

impl<M: Medium> Home<M> {
    /// Gives every lower object its place and removes all garbage, as far as the medium allows.
    ///
    /// # Errors
    /// Those of the medium; what could not be settled is tried again at the next use.
    pub fn settle(&self) -> Result<()> {
        let mut removable = Removable::default();
        while !self.is_settled() {
            self.settle_some(&mut removable)?;
            // Who waits for a sync comes before the next round.
            sleep(BREATH);
        }
        Ok(())
    }

    fn settle_some(&self, removable: &mut Removable) -> Result<()> {
        let _syncing = self.syncing();
        self.record_all()?;
        if removable.next.is_empty() {
            *removable = self.removable();
        }
        self.commit_log()?;
        self.sync_medium()?;
        let _moving = self.moving.write().unwrap_or_else(PoisonError::into_inner);
        self.settle_batch(removable)?;
        // The space of removed files is used again: their names must be gone by then.
        self.sync_medium().inspect_err(|_| self.part_if_astray())?;
        self.commit_log()?;
        self.state().vacated.clear();
        Ok(())
    }

    /// The log tells where objects have moved to, and must not become durable if they are not there.
    fn part_if_astray(&self) {
        if self.medium.sync_names().is_err() {
            self.state().failed = true;
        }
    }

    /// All garbage: what may be removed once the log is durable.
    pub(super) fn removable(&self) -> Removable {
        let state = self.state();
        let table = &state.table;
        let movable = |ino: &Ino| !state.stuck.contains(ino);
        let mut next: Vec<Ino> = table.garbage().filter(movable).collect();
        next.sort_by_cached_key(|ino| table.lower_depth(*ino));
        Removable {
            all: table.garbage().collect(),
            next,
        }
    }

    /// Settles some objects; of all garbage only what is `removable`.
    pub(super) fn settle_batch(&self, removable: &mut Removable) -> Result<()> {
        let mut state = self.state();
        let batch = state.begin_in_any_case()?;
        let mut settler = Settler::new(&*self.medium, &mut state, removable, batch);
        let settled = settler.settle_all();
        let synced = settler.sync_left();
        match settler.done() {
            Ok(batch) if batch.is_empty() => {}
            Ok(batch) => state.finish(batch)?,
            Err(error) => {
                tracing::error!("a file may have lost its name; nothing is changed from here");
                state.failed = true;
                return Err(error);
            }
        }
        settled.and(synced)
    }
}

/// Garbage by a durable record. To look for it anew in each round would take longer than to remove it.
#[derive(Debug, Default)]
pub(super) struct Removable {
    all: HashSet<Ino>,
    /// What is not removed yet, the next one last: a directory after what is in it.
    next: Vec<Ino>,
}
