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

use super::batch::Batch;
use super::{Home, Ino, Medium, Record, Result, State, errno};
use crate::medium::MediumFile;
use crate::names;
use crate::record::{Lower, Place};
use crate::table::Table;
use rustix::io::Errno;
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::PoisonError;
use std::thread::sleep;
use std::time::Duration;

/// Objects settled in one go, so that others wait only shortly.
const BATCH: usize = 256;
/// The same for objects that are renamed, each of which is synced.
const MOVES: usize = 16;
/// Time between two rounds: a lock goes to who asks for it first.
const BREATH: Duration = Duration::from_millis(1);

impl<M: Medium> Home<M> {
    /// Gives every lower object its place and removes all garbage, as far as the medium allows.
    ///
    /// # Errors
    /// Those of the medium; what could not be settled is tried again at the next use.
    pub fn settle(&self) -> Result<()> {
        while !self.is_settled() {
            self.settle_some()?;
            // Who waits for a sync comes before the next round.
            sleep(BREATH);
        }
        Ok(())
    }

    fn settle_some(&self) -> Result<()> {
        let _syncing = self.syncing();
        self.record_all()?;
        let garbage = self.garbage();
        self.commit_log()?;
        self.sync_medium()?;
        let _moving = self.moving.write().unwrap_or_else(PoisonError::into_inner);
        self.settle_batch(&garbage)?;
        // The space of removed files is used again: their names must be gone by then.
        self.sync_medium()?;
        self.commit_log()?;
        self.state().vacated.clear();
        Ok(())
    }

    pub(super) fn garbage(&self) -> HashSet<Ino> {
        self.state().table.garbage().collect()
    }

    /// Settles some objects; of all garbage only what is in `garbage`.
    pub(super) fn settle_batch(&self, garbage: &HashSet<Ino>) -> Result<()> {
        let mut state = self.state();
        let batch = state.begin_in_any_case()?;
        let mut settler = Settler {
            medium: &*self.medium,
            state: &mut state,
            garbage,
            batch,
            left: BTreeSet::new(),
            moves: 0,
        };
        let settled = settler.settle_all();
        let synced = settler.sync_left();
        let batch = settler.batch;
        if !batch.is_empty() {
            state.finish(batch)?;
        }
        settled.and(synced)
    }
}

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

struct Settler<'a, M: Medium> {
    medium: &'a M,
    state: &'a mut State<M>,
    /// What may be removed.
    garbage: &'a HashSet<Ino>,
    /// What has been done, not logged yet.
    batch: Batch,
    /// Directories that names were removed from.
    left: BTreeSet<Ino>,
    /// Objects renamed so far.
    moves: usize,
}

impl<M: Medium> Settler<'_, M> {
    fn settle_all(&mut self) -> Result<()> {
        for ino in self.pending().into_iter().take(BATCH) {
            self.settle(ino)?;
            if self.moves >= MOVES {
                break;
            }
        }
        Ok(())
    }

    /// Makes durable that the old names are gone.
    fn sync_left(&self) -> Result<()> {
        let table = &self.state.table;
        let paths = self.left.iter().filter_map(|dir| table.lower_dir(*dir));
        let synced = paths.map(|path| self.medium.sync_dir(&path).or_else(ignore_missing));
        synced.collect::<io::Result<()>>().map_err(errno)
    }

    /// What comes next: live objects before garbage, so that a dead directory is empty when its turn
    /// comes; dead directories last, inner ones first.
    fn pending(&self) -> Vec<Ino> {
        let table = &self.state.table;
        let movable = |ino: &Ino| !self.state.stuck.contains(ino);
        let live = table.unsettled().filter(|ino| !table.is_garbage(*ino));
        let mut pending: Vec<Ino> = live.filter(movable).take(BATCH).collect();
        if pending.len() < BATCH {
            let removable = |ino: &Ino| movable(ino) && self.garbage.contains(ino);
            let mut garbage: Vec<Ino> = table.garbage().filter(removable).collect();
            garbage.sort_by_cached_key(|ino| std::cmp::Reverse(table.lower_depth(*ino)));
            pending.extend(garbage);
        }
        pending
    }

    fn settle(&mut self, ino: Ino) -> Result<()> {
        if !self.state.table.is_unsettled(ino) {
            return Ok(());
        }
        let result = match self.state.table.wanted(ino) {
            Some(wanted) => self
                .settle_above(ino)
                .and_then(|()| self.move_to(ino, wanted)),
            None => self.sweep(ino),
        };
        match result {
            // Its place has only just been left: the next round, with that in the log.
            Err(Errno::AGAIN) | Ok(()) => Ok(()),
            Err(Errno::ROFS) => Err(Errno::ROFS),
            Err(error) => {
                tracing::debug!(?ino, %error, "an object cannot have its place on the medium");
                self.state.stuck.insert(ino);
                Ok(())
            }
        }
    }

    /// Directories above get their places first: no object is then moved into itself.
    fn settle_above(&mut self, ino: Ino) -> Result<()> {
        let mut above = Vec::new();
        let mut at = self.state.table.parent(ino);
        while at != Ino::ROOT {
            above.push(at);
            at = self.state.table.parent(at);
        }
        for dir in above.into_iter().rev() {
            let wanted = self.state.table.wanted(dir);
            let unsettled = self.state.table.is_unsettled(dir) && !self.state.stuck.contains(&dir);
            if let (true, Some(wanted)) = (unsettled, wanted) {
                self.move_to(dir, wanted)?;
            }
        }
        Ok(())
    }

    fn move_to(&mut self, ino: Ino, wanted: Place) -> Result<()> {
        let fits = names::fits(&wanted.name);
        let parts = self.state.table.lower(ino).ok_or(Errno::NOENT)?.parts;
        if !fits || parts > 1 && !names::fits(&names::part(&wanted.name, parts)) {
            return Err(Errno::NAMETOOLONG);
        }
        match self.state.table.occupant(&wanted) {
            // Only the case differs: FAT would call that the same name and change nothing.
            Some(occupant) if occupant == ino => self.relocate(ino, Table::waiting_place(ino))?,
            Some(occupant) => {
                self.clear(occupant)?;
                return Err(Errno::AGAIN);
            }
            None if !self.state.is_free(&wanted) => return Err(Errno::AGAIN),
            None => {}
        }
        self.relocate(ino, wanted)
    }

    /// Makes the place of another object free.
    fn clear(&mut self, occupant: Ino) -> Result<()> {
        if self.garbage.contains(&occupant) && self.sweep(occupant).is_ok() {
            return Ok(());
        }
        self.relocate(occupant, Table::waiting_place(occupant))
    }

    fn relocate(&mut self, ino: Ino, to: Place) -> Result<()> {
        if self.moves >= 2 * MOVES {
            return Err(Errno::AGAIN);
        }
        let lower = self.state.table.lower(ino).ok_or(Errno::NOENT)?.clone();
        let from = self.state.table.path(&lower.place).ok_or(Errno::IO)?;
        let path = self.state.table.path(&to).ok_or(Errno::IO)?;
        self.move_parts(ino, (&from, &path), lower.parts)?;
        let synced = self.sync_renamed(ino, &path).map_err(errno);
        self.moves += 1;
        self.leave(&lower.place);
        let moved = Record::Lower(ino, Lower { place: to, ..lower });
        self.state.apply(&mut self.batch, moved)?;
        synced
    }

    /// Moves all parts or none. Later ones first: a file whose first part has moved has moved.
    fn move_parts(&self, ino: Ino, (from, to): (&str, &str), parts: u16) -> Result<()> {
        let further = (2..=parts).rev();
        let further = further.map(|number| (names::part(from, number), names::part(to, number)));
        let further: Vec<_> = further.collect();
        let mut moves = further.iter();
        let moved = moves.try_for_each(|(from, to)| {
            self.medium.rename(from, to)?;
            self.sync_renamed(ino, to)
        });
        let moved = moved.and_then(|()| self.medium.rename(from, to));
        if moved.is_err() {
            // What has not moved is in its place, and stays.
            for (from, to) in &further {
                self.medium.rename(to, from).unwrap_or_default();
            }
        }
        moved.map_err(errno)
    }

    /// Makes the new name durable, and what leads from it to the content.
    fn sync_renamed(&self, ino: Ino, path: &str) -> io::Result<()> {
        if self.state.table.is_directory(ino) {
            return self.medium.sync_dir(path);
        }
        match self.medium.open(path) {
            // Of a directory that is garbage the table only knows where it is.
            Err(error) if errno_is_directory(&error) => self.medium.sync_dir(path),
            opened => opened?.sync(),
        }
    }

    fn sweep(&mut self, ino: Ino) -> Result<()> {
        let lower = self.state.table.lower(ino).ok_or(Errno::NOENT)?.clone();
        let path = self.state.table.path(&lower.place).ok_or(Errno::IO)?;
        for number in (2..=lower.parts).rev() {
            self.medium
                .unlink(&names::part(&path, number))
                .or_else(ignore_missing)
                .map_err(errno)?;
        }
        let removed = match self.medium.unlink(&path) {
            Err(error) if errno_is_directory(&error) => self.medium.remove_dir(&path),
            other => other,
        };
        removed.or_else(ignore_missing).map_err(errno)?;
        self.leave(&lower.place);
        self.state.apply(&mut self.batch, Record::LowerGone(ino))
    }

    fn leave(&mut self, place: &Place) {
        self.state.vacated.insert(place.folded());
        self.left.insert(place.dir);
    }
}

/// unlink(2) of a directory: `EISDIR` on Linux, `EPERM` by POSIX.
fn errno_is_directory(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::ISDIR | Errno::PERM)
    )
}
