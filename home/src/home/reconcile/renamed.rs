//! Recognising what a stranger renamed.

use super::super::{Ino, Medium, Record, Result, State, print};
use super::Reconciled;
use super::looks::{IsDirectory, look};
use super::scan::{Found, Scan};
use crate::medium::FactKind;
use crate::record::{Kind, Lower, Place, Print};
use std::collections::HashMap;

impl<M: Medium> State<M> {
    /// Matches objects that are nowhere with unknown ones that look the same.
    pub(super) fn match_renamed(
        &mut self,
        scan: &mut Scan,
        missing: Vec<Ino>,
        count: &mut Reconciled,
    ) -> Result<Vec<Ino>> {
        let mut missing = missing;
        loop {
            let before = missing.len();
            for (ino, (dir, hit)) in self.same_looking(scan, &missing) {
                if self.follow_rename(scan, ino, (dir, &hit), count)? {
                    missing.retain(|other| *other != ino);
                }
            }
            if missing.len() == before {
                return Ok(missing);
            }
            // What is below a renamed directory is where it was, seen from that directory.
            missing = self.locate(scan, missing, count)?;
        }
    }

    fn follow_rename(
        &mut self,
        scan: &mut Scan,
        ino: Ino,
        (dir, hit): (Ino, &Found),
        count: &mut Reconciled,
    ) -> Result<bool> {
        let place = Place {
            dir,
            name: hit.name.clone(),
        };
        let Some(lower) = self.table.lower(ino).cloned() else {
            return Ok(false);
        };
        if self.table.occupant(&place).is_some() {
            return Ok(false);
        }
        let moved = Lower {
            place: place.clone(),
            ..lower
        };
        self.record_one(Record::Lower(ino, moved))?;
        self.rename_primary(ino, (dir, &hit.name))?;
        count.renamed += 1;
        scan.claim(dir, &hit.name, ino);
        let whole = self.gather(scan, ino, (&place, hit), &[], count);
        self.take_over(scan, ino, whole, count)?;
        Ok(true)
    }

    /// Pairs that match in one way only; anything ambiguous is left alone.
    fn same_looking(&self, scan: &Scan, missing: &[Ino]) -> Vec<(Ino, (Ino, Found))> {
        let mut alike: HashMap<(IsDirectory, Print), Alike> = HashMap::new();
        for ino in missing {
            if let Some(look) = self.look_of(*ino) {
                alike.entry(look).or_default().missing.push(*ino);
            }
        }
        let unknown = scan.unknown().into_iter();
        for (dir, found) in unknown.filter(|(dir, _)| !self.is_dead(*dir)) {
            let is_directory = found.facts.kind == FactKind::Directory;
            if let Some(alike) = alike.get_mut(&look(is_directory, print(&found.facts))) {
                alike.unknown.push((dir, found));
            }
        }
        let mut pairs: Vec<_> = alike.into_values().filter_map(Alike::pair).collect();
        pairs.sort_unstable_by_key(|(ino, _)| *ino);
        pairs
    }

    /// What the lower of `ino` is recognised by; `None` if nothing could be.
    fn look_of(&self, ino: Ino) -> Option<(IsDirectory, Print)> {
        let (lower, inode) = (self.table.lower(ino)?, self.table.inode(ino)?);
        let nameless = self.table.names(ino).is_empty();
        let recognisable = lower.print.born != 0 && !nameless;
        recognisable.then(|| look(inode.kind == Kind::Directory, lower.print))
    }
}

/// What looks the same.
#[derive(Default)]
struct Alike {
    missing: Vec<Ino>,
    unknown: Vec<(Ino, Found)>,
}

impl Alike {
    /// The one that is missing and the one that is unknown. Of several made in one second that are
    /// empty, say, nobody knows which one it was, and it must not get the mode of another.
    fn pair(mut self) -> Option<(Ino, (Ino, Found))> {
        match (self.missing.as_slice(), self.unknown.pop()) {
            ([ino], Some(hit)) if self.unknown.is_empty() => Some((*ino, hit)),
            _ => None,
        }
    }
}
