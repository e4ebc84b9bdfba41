//! Going on after the medium was away: reading everything anew under the same roof.

use super::{Arc, Home, Ino, Medium, OpenFile, State};
use crate::record::Record;
use crate::store::superblock::Superblock;
use crate::store::{self, OpenError};
use crate::table::Table;
use std::io;
use std::sync::atomic::Ordering;

/// What somebody who remembers the home from before may remember wrongly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// All inodes there were.
    pub inodes: Vec<Ino>,
    /// Names that now lead elsewhere or nowhere, or were not there.
    pub names: Vec<(Ino, Vec<u8>)>,
}

/// By which uses the medium may have been changed so that it still holds what is known of it: none but
/// ours. Elsewhere the numbers that were given out here since may have been given to other files.
#[derive(Debug, Default)]
pub(super) struct Uses(Vec<(u64, [u8; 16])>);

impl Uses {
    /// The use that has begun, durably: what tells of the one before it is a copy.
    pub(super) fn new(begun: &Superblock) -> Self {
        Self(vec![(begun.epoch, begun.host)])
    }

    /// Lets one more by `host` follow, unless there was another one.
    fn go_on<M: Medium>(&mut self, medium: &M, host: [u8; 16]) -> Result<(), OpenError> {
        let last = store::last_use(medium)?;
        if !self.0.contains(&(last.epoch, last.host)) {
            return Err(OpenError::UsedElsewhere);
        }
        // Noted before it begins: the medium may be pulled again meanwhile.
        self.0.push((last.generation + 1, host));
        Ok(())
    }
}

impl<M: Medium> Home<M> {
    /// How often the medium was away and has come back; files opened before must be opened anew.
    #[must_use]
    pub fn returns(&self) -> u64 {
        self.returns.load(Ordering::Acquire)
    }

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
        state.uses.go_on(&*self.medium, self.options.host)?;
        let (fresh, _) = Self::read_back(Arc::clone(&self.medium), self.options)?;
        // Numbers given out before may still be remembered: nothing that is adopted may get one.
        let next = Record::NextIno(state.table.next_ino());
        fresh.state().record_one(next).map_err(io::Error::from)?;
        fresh.take_over()?;
        let mut fresh = fresh
            .state
            .into_inner()
            .unwrap_or_else(|it| it.into_inner());
        fresh.uses = std::mem::take(&mut state.uses);
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
                if state.may_have_lost(ino, &open) {
                    file.note_failure();
                    fresh.note_content(ino);
                }
                let opens = open.opens;
                let open = OpenFile::new(file);
                fresh.files.insert(ino, OpenFile { opens, ..open });
            }
        }
        let stale = stale(&state.table, &fresh.table);
        *state = fresh;
        self.returns.fetch_add(1, Ordering::Release);
        Ok(stale)
    }
}

impl<M: Medium> State<M> {
    /// Whether something was written to an open file that was not synced, so that the next fsync(2) has to
    /// fail.
    fn may_have_lost(&self, ino: Ino, open: &OpenFile<M>) -> bool {
        let written = self.dirty.contains(&ino) || self.in_sync.contains(&ino);
        written || open.touched || open.unseen || self.mapped.contains(&ino)
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
