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
        let mut unknown: HashMap<(IsDirectory, Print), Vec<(Ino, Found)>> = HashMap::new();
        let unknown_here = scan.unknown().into_iter();
        for (dir, found) in unknown_here.filter(|(dir, _)| !self.is_dead(*dir)) {
            let key = look(found.facts.kind == FactKind::Directory, print(&found.facts));
            unknown.entry(key).or_default().push((dir, found));
        }
        let mut pairs = Vec::new();
        for ino in missing {
            let (Some(lower), Some(inode)) = (self.table.lower(*ino), self.table.inode(*ino))
            else {
                continue;
            };
            let is_directory = inode.kind == Kind::Directory;
            if lower.print.born == 0 || self.table.names(*ino).is_empty() {
                continue;
            }
            let key = look(is_directory, lower.print);
            let mut same = unknown.remove(&key).unwrap_or_default();
            if same.len() == 1 {
                pairs.extend(same.pop().map(|hit| (*ino, hit)));
            }
        }
        pairs
    }
}
