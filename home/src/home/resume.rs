//! Going on after the medium was away: reading everything anew under the same roof.

use super::{Arc, Home, Ino, Medium, OpenFile};
use crate::record::Record;
use crate::store::OpenError;
use crate::table::Table;
use std::io;

/// What somebody who remembers the home from before may remember wrongly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// All inodes there were.
    pub inodes: Vec<Ino>,
    /// Names that now lead elsewhere or nowhere, or were not there.
    pub names: Vec<(Ino, Vec<u8>)>,
}

impl<M: Medium> Home<M> {
    /// The medium.
    #[must_use]
    pub fn medium(&self) -> &M {
        &self.medium
    }

    /// Opens the home once more after `put` has brought the medium back, as after any interruption:
    /// what was not durable is gone. Open files stay open as far as they still exist.
    ///
    /// # Errors
    /// See [`OpenError`]; everything fails as before then.
    pub fn resume(&self, put: impl FnOnce(&M)) -> Result<Stale, OpenError> {
        let _syncing = self.syncing();
        let mut state = self.state();
        put(&self.medium);
        let (fresh, _) = Self::read_back(Arc::clone(&self.medium), self.options)?;
        fresh.take_over()?;
        let mut fresh = fresh
            .state
            .into_inner()
            .unwrap_or_else(|it| it.into_inner());
        // Numbers given out before may still be remembered, even if their inodes are gone.
        let next = Record::NextIno(state.table.next_ino());
        fresh.record_one(next).map_err(io::Error::from)?;
        for (ino, count) in state.held.drain() {
            if fresh.table.inode(ino).is_some() {
                fresh.held.insert(ino, count);
            }
        }
        for (ino, readers) in state.readers.drain() {
            if fresh.table.inode(ino).is_some() {
                fresh.readers.insert(ino, readers);
            }
        }
        for (ino, open) in std::mem::take(&mut state.files) {
            if let Ok(file) = self.load(&fresh, ino) {
                let opens = open.opens;
                let open = OpenFile::new(file);
                fresh.files.insert(ino, OpenFile { opens, ..open });
            }
        }
        let stale = stale(&state.table, &fresh.table);
        *state = fresh;
        Ok(stale)
    }
}

fn stale(before: &Table, now: &Table) -> Stale {
    let mut names = differing(before, now, |then, entry| then != Some(entry));
    names.extend(differing(now, before, |then, _| then.is_none()));
    Stale {
        inodes: before.inodes().collect(),
        names,
    }
}

/// The names in `table` of which `differs` says so, told where they lead in `other` and in `table`.
fn differing(
    table: &Table,
    other: &Table,
    differs: impl Fn(Option<Ino>, Ino) -> bool,
) -> Vec<(Ino, Vec<u8>)> {
    let mut names = Vec::new();
    for dir in table.inodes() {
        for (name, entry) in table.entries(dir).into_iter().flatten() {
            if differs(other.entry(dir, name).map(|entry| entry.ino), entry.ino) {
                names.push((dir, name.to_vec()));
            }
        }
    }
    names
}
