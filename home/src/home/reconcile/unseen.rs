//! Looking at directories when they are first used, instead of at all of them at the beginning.
//!
//! After an orderly end everything is where the table says, unless a stranger was there. So a
//! directory is compared with the table when it is first needed, together with those above it and
//! those where the objects of its entries stand, or ought to. As long as nothing differs that is all; the first
//! difference starts the full [reconciliation](super), which alone can tell what was renamed.

use super::super::{Errno, Home, Ino, Medium, Result, State, errno};
use super::{looks, scan};
use crate::medium::{FactKind, Facts};
use crate::names;
use crate::record::{Kind, Lower};
use crate::table::Table;
use std::collections::HashMap;
use std::sync::MutexGuard;

/// What nobody has looked at since the home was opened.
#[derive(Debug)]
pub(in super::super) enum Unseen {
    /// All of it.
    Everything,
    /// These directories, each with the objects that stand in it.
    Directories(HashMap<Ino, Vec<Ino>>),
}

impl Unseen {
    /// Every directory of `table`.
    fn all_of(table: &Table) -> Self {
        let mut directories = HashMap::from([(Ino::ROOT, Vec::new()), (Ino::TMP, Vec::new())]);
        for (ino, lower) in table.lowers() {
            directories.entry(lower.place.dir).or_default().push(ino);
            if table.is_directory(ino) {
                directories.entry(ino).or_default();
            }
        }
        Self::Directories(directories)
    }

    /// Whether nobody has looked into `dir`.
    pub(in super::super) fn contains(&self, dir: Ino) -> bool {
        match self {
            Self::Everything => true,
            Self::Directories(directories) => {
                !directories.is_empty() && directories.contains_key(&dir)
            }
        }
    }
}

impl<M: Medium> Home<M> {
    /// Defers the look at each directory to its first use.
    pub(in super::super) fn look_later(&self) {
        let mut state = self.state();
        state.unseen = Unseen::all_of(&state.table);
    }

    /// The state, with all that is in `dirs` brought to what the medium holds.
    pub(in super::super) fn state_at<const N: usize>(
        &self,
        dirs: [Ino; N],
    ) -> Result<MutexGuard<'_, State<M>>> {
        let mut state = self.state();
        for dir in dirs {
            self.look_into(&mut state, dir)?;
        }
        Ok(state)
    }

    /// Brings what is in `dir` to what the medium holds, if that has not happened yet.
    pub(in super::super) fn look_into(&self, state: &mut State<M>, dir: Ino) -> Result<()> {
        if !state.unseen.contains(dir) {
            return Ok(());
        }
        let mut open = vec![dir];
        while let Some(dir) = open.pop() {
            if !state.unseen.contains(dir) {
                continue;
            }
            if !self.is_as_recorded(state, dir).map_err(errno)? {
                return self.reconcile_in(state).map(drop).map_err(errno);
            }
            if let Unseen::Directories(directories) = &mut state.unseen {
                directories.remove(&dir);
            }
            open.extend(state.directories_needed_for(dir));
        }
        Ok(())
    }

    fn is_as_recorded(&self, state: &State<M>, dir: Ino) -> std::io::Result<bool> {
        let path = state.table.lower_dir(dir).ok_or(Errno::IO)?;
        let listed = match self.medium.list(&path) {
            Err(error) if is_gone(&error) => return Ok(false),
            other => other?,
        };
        let mut there: HashMap<&str, &Facts> = listed
            .iter()
            .filter(|(name, facts)| scan::is_of_the_home(&path, name, facts))
            .map(|(name, facts)| (name.as_str(), facts))
            .collect();
        let Unseen::Directories(directories) = &state.unseen else {
            return Ok(false);
        };
        let mut objects = directories.get(&dir).into_iter().flatten();
        Ok(objects.all(|ino| is_there(&mut there, state, *ino)) && there.is_empty())
    }
}

impl<M: Medium> State<M> {
    /// Directories whose look must not contradict what is shown of `dir`.
    fn directories_needed_for(&self, dir: Ino) -> Vec<Ino> {
        let entries = self.table.entries(dir).into_iter().flatten();
        let objects = entries.map(|(_, entry)| entry.ino).chain([dir]);
        let places = objects.flat_map(|ino| self.directories_of(ino));
        places.filter(|other| *other != dir).collect()
    }

    /// Where the object of `ino` stands, and where it ought to: something there would be a difference.
    fn directories_of(&self, ino: Ino) -> impl Iterator<Item = Ino> {
        let place = self.table.lower(ino).map(|lower| lower.place.dir);
        let misplaced = self.table.is_unsettled(ino);
        let wanted = misplaced.then(|| self.table.wanted(ino)).flatten();
        place.into_iter().chain(wanted.map(|wanted| wanted.dir))
    }
}

/// Whether a directory cannot be listed because it, or one above it, is not there any more.
fn is_gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// Whether the lower of `ino` is among what is `there`, as recorded; takes it out.
fn is_there<M: Medium>(there: &mut HashMap<&str, &Facts>, state: &State<M>, ino: Ino) -> bool {
    let Some(Lower {
        place,
        parts,
        print,
    }) = state.table.lower(ino)
    else {
        return true;
    };
    let Some(first) = there.remove(place.name.as_str()) else {
        return false;
    };
    let is_file = state
        .table
        .inode(ino)
        .is_some_and(|inode| inode.kind == Kind::File);
    if !is_file {
        return first.kind == FactKind::Directory;
    }
    let mut whole = *first;
    for number in 2..=*parts {
        let Some(part) = there.remove(names::part(&place.name, number).as_str()) else {
            return false;
        };
        whole = looks::with_part(whole, part);
    }
    whole.kind == FactKind::File && looks::is_unchanged(print, &whole)
}
