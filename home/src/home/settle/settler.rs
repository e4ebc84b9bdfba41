//! What one round of settling does to the medium and the table.

use super::super::batch::Batch;
use super::super::{Ino, Medium, Record, Result, State, errno};
use super::Removable;
use crate::medium::MediumFile;
use crate::names;
use crate::record::{Lower, Place};
use crate::table::Table;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::io;

/// Objects settled in one go, so that others wait only shortly.
const BATCH: usize = 256;
/// The same for objects that are renamed, each of which is synced.
const MOVES: usize = 16;

pub(super) struct Settler<'a, M: Medium> {
    medium: &'a M,
    state: &'a mut State<M>,
    removable: &'a mut Removable,
    /// What has been done, not logged yet.
    batch: Batch,
    /// Directories that names were removed from.
    left: BTreeSet<Ino>,
    /// Objects renamed so far.
    moves: usize,
    /// Whether one was renamed that may be nowhere on the medium.
    astray: bool,
}

impl<'a, M: Medium> Settler<'a, M> {
    /// What is settled is recorded in `batch`.
    pub(super) fn new(
        medium: &'a M,
        state: &'a mut State<M>,
        removable: &'a mut Removable,
        batch: Batch,
    ) -> Self {
        Self {
            medium,
            state,
            removable,
            batch,
            left: BTreeSet::new(),
            moves: 0,
            astray: false,
        }
    }

    /// What has been done, if it is where it was done.
    pub(super) fn done(self) -> Result<Batch> {
        match self.astray {
            true => Err(Errno::IO),
            false => Ok(self.batch),
        }
    }

    /// Live objects come before garbage, so that a dead directory is empty when its turn comes.
    pub(super) fn settle_all(&mut self) -> Result<()> {
        let misplaced = self.misplaced();
        let left = BATCH - misplaced.len();
        for ino in misplaced {
            self.settle(ino)?;
            if self.moves >= MOVES {
                return Ok(());
            }
        }
        for _ in 0..left {
            let Some(ino) = self.removable.next.pop() else {
                break;
            };
            self.settle(ino)?;
        }
        Ok(())
    }

    fn misplaced(&self) -> Vec<Ino> {
        let misplaced = self.state.table.misplaced();
        let movable = |ino: &Ino| !self.state.stuck.contains(ino);
        misplaced.filter(movable).take(BATCH).collect()
    }

    /// Makes durable that the old names are gone.
    pub(super) fn sync_left(&mut self) -> Result<()> {
        let table = &self.state.table;
        let paths = self.left.iter().filter_map(|dir| table.lower_dir(*dir));
        let paths: Vec<_> = paths.collect();
        let synced = self.medium.sync_dirs(&paths).map_err(errno);
        self.astray |= synced.is_err();
        synced
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
            Err(error) if self.astray => Err(error),
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
        let parts = self.state.table.lower(ino).ok_or(Errno::NOENT)?.parts;
        // The last part has the longest name.
        if !names::fits(&names::part(&wanted.name, parts)) {
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
        if self.removable.all.contains(&occupant) && self.sweep(occupant).is_ok() {
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
        self.astray |= synced.is_err();
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
            return self.medium.sync_moved(path);
        }
        match self.medium.open(path) {
            // Of a directory that is garbage the table only knows where it is.
            Err(error) if errno_is_directory(&error) => self.medium.sync_moved(path),
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

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}
