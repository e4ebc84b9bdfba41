//! Reconciliation: the table is brought to what the medium holds.
//!
//! This happens at the beginning of a use, or, when the last use ended in order, with the first
//! directory that is not as the table says (`unseen`).
//!
//! Whatever strangers did to the files through another system is right; what only the table knows
//! (modes, links, attributes) is kept wherever it still has something to belong to:
//!
//! 1. Objects are looked for at their recorded place, then where an interrupted
//!    settling may have put them: the wanted and the waiting place.
//! 2. Objects not found are matched with unknown ones of equal creation time, size and modification
//!    time, where there is one of each: renamed by a stranger. Their names change, everything else
//!    stays.
//! 3. Objects still not found were deleted; their names go, and for a month what they were is
//!    remembered.
//! 4. Unknown objects are adopted under the name their lower name stands for, as what was
//!    remembered of that name, if anything.
//! 5. Files of another size or time than recorded were edited: size and time are taken over.
//!
//! An interrupted rename can leave both of its names on the medium: the one that does not look as
//! recorded is cleared away, and kept in `.wendy/lost` if there is anything in it. Nothing else on
//! the medium is changed here; settling follows. What strangers put into a directory that had been
//! removed is kept in `.wendy/lost`, too, and a file that had been removed or replaced if it does not
//! look as it did then.

use super::{Home, Ino, Medium, Result, State};
use crate::medium::{FactKind, Facts};
use std::collections::HashMap;
use std::io;

mod adopt;
mod locate;
mod looks;
mod lost;
mod parts;
mod renamed;
mod scan;
pub(super) mod unseen;

use scan::Scan;
use unseen::Unseen;

/// What reconciliation found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reconciled {
    /// Files and directories that appeared.
    pub adopted: u64,
    /// Files with other content.
    pub edited: u64,
    /// Files and directories with another name.
    pub renamed: u64,
    /// Files and directories that disappeared.
    pub missing: u64,
    /// Files and directories that had disappeared before and are back.
    pub returned: u64,
    /// Interrupted renames of our own that were completed.
    pub relocated: u64,
    /// Files without a name from a use that broke off, kept in `.wendy/lost`.
    pub lost: u64,
}

impl Reconciled {
    /// Whether anything was found.
    #[must_use]
    pub fn is_anything(&self) -> bool {
        *self != Self::default()
    }
}

impl<M: Medium> Home<M> {
    /// Brings everything to what the medium holds.
    pub(super) fn reconcile(&self) -> io::Result<Reconciled> {
        self.reconcile_in(&mut self.state())
    }

    fn reconcile_in(&self, state: &mut State<M>) -> io::Result<Reconciled> {
        let scan = Scan::of(&*self.medium)?;
        let reconciled = self.reconcile_with(state, scan)?;
        state.unseen = Unseen::Directories(HashMap::new());
        if reconciled.is_anything() {
            tracing::info!(?reconciled, "took over what changed on the medium");
        }
        Ok(reconciled)
    }

    fn reconcile_with(&self, state: &mut State<M>, mut scan: Scan) -> Result<Reconciled> {
        let mut found = Reconciled::default();
        let missing = state.locate_all(&mut scan, &mut found)?;
        let missing = state.match_renamed(&mut scan, missing, &mut found)?;
        state.drop_missing(&missing, &mut found)?;
        scan.abandon(|dir| state.is_dead(dir));
        state.adopt_unknown(&mut scan, &self.options, &mut found)?;
        for (path, facts) in scan.leftovers() {
            found.lost += u64::from(state.clear_leftover(path, facts));
        }
        Ok(found)
    }
}

impl<M: Medium> State<M> {
    /// Clears away what an interrupted use left; says whether it had content and is kept.
    fn clear_leftover(&self, path: &str, facts: &Facts) -> bool {
        let removed = match facts.kind {
            FactKind::Directory => self.medium.remove_dir(path),
            _ if facts.size == 0 => self.medium.unlink(path),
            _ => Err(io::ErrorKind::DirectoryNotEmpty.into()),
        };
        if removed.is_ok() {
            return false;
        }
        let kept = self.keep(path);
        if let Err(error) = &kept {
            // A full stick, or a damaged one, is opened all the same; the next use tries again.
            tracing::warn!(path, %error, "cannot be kept: left where it is");
        }
        kept.is_ok()
    }

    fn keep(&self, path: &str) -> io::Result<()> {
        match self.medium.make_dir(LOST_DIR) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        // Room for the number behind it.
        let name: String = name.chars().take(LOST_NAME_MAX).collect();
        let candidates = (0..1000u32).map(|number| format!("{LOST_DIR}/{name}-{number}"));
        let mut free = candidates.filter(|to| self.medium.facts(to).is_err());
        let to = free.next().ok_or(io::ErrorKind::AlreadyExists)?;
        self.medium.rename(path, &to)
    }

    /// Whether nobody can have a name in `dir`: it was removed but is still on the medium, or it is the
    /// one where files wait for a name.
    fn is_dead(&self, dir: Ino) -> bool {
        dir != Ino::ROOT && self.table.is_garbage(dir)
    }
}

/// Where files without a name are kept.
const LOST_DIR: &str = ".wendy/lost";
/// Characters of their names that are kept: short enough even if each takes two of FAT's units.
const LOST_NAME_MAX: usize = 120;
