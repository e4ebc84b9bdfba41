//! Finding the lowers of the table on the medium.

use super::super::{Ino, Medium, Record, Result, State, print};
use super::Reconciled;
use super::looks::{
    IsDirectory, TIME_GRAIN, is_foreign, is_same_time, is_unchanged, look, with_part,
};
use super::scan::{Found, Scan};
use crate::medium::{FactKind, Facts};
use crate::names;
use crate::record::{Kind, Lower, Place, Print};
use crate::table::Table;
use std::collections::HashMap;

impl<M: Medium> State<M> {
    /// Claims every lower object that is where it may be; returns those that are nowhere.
    pub(super) fn locate_all(
        &mut self,
        scan: &mut Scan,
        found: &mut Reconciled,
    ) -> Result<Vec<Ino>> {
        let mut all: Vec<Ino> = self.table.lowers().map(|(ino, _)| ino).collect();
        all.sort_unstable();
        self.locate(scan, all, found)
    }

    fn locate(
        &mut self,
        scan: &mut Scan,
        mut open: Vec<Ino>,
        found: &mut Reconciled,
    ) -> Result<Vec<Ino>> {
        loop {
            let before = open.len();
            let mut rest = Vec::new();
            for ino in open {
                if !self.locate_one(scan, ino, found)? {
                    rest.push(ino);
                }
            }
            if rest.len() == before || rest.is_empty() {
                return Ok(rest);
            }
            // Some directories have become known: what is below them may be found now.
            open = rest;
        }
    }

    fn locate_one(&mut self, scan: &mut Scan, ino: Ino, count: &mut Reconciled) -> Result<bool> {
        let Some(lower) = self.table.lower(ino).cloned() else {
            return Ok(true);
        };
        let mut places = self.possible_places(scan, ino, &lower);
        if places.is_empty() {
            return Ok(false);
        }
        // One that looks as recorded, else the recorded one.
        let same = places
            .iter()
            .position(|(_, hit)| hit.facts.size == lower.print.size);
        let (place, hit) = places.swap_remove(same.unwrap_or(0));
        for (twin, _) in places {
            scan.claim_twin(twin.dir, &twin.name, ino);
        }
        if self.is_strangers(scan, ino, &lower, &hit) {
            self.give_up(scan, ino, &lower, &place)?;
            return Ok(true);
        }
        self.settle_in(ino, lower, &place, count)?;
        scan.claim(place.dir, &place.name, ino);
        self.take_over(scan, ino, &hit, count)?;
        Ok(true)
    }

    /// Whether what is to be removed is not what we meant to remove.
    fn is_strangers(&self, scan: &Scan, ino: Ino, lower: &Lower, hit: &Found) -> bool {
        // Where we have looked before, all of it is our own.
        let unseen = self.unseen.contains(lower.place.dir);
        let is_file = hit.facts.kind == FactKind::File;
        let facts = further_parts(scan, lower, hit)
            .fold(hit.facts, |whole, (_, part)| with_part(whole, &part));
        unseen && is_file && self.table.is_garbage(ino) && is_foreign(&lower.print, &facts)
    }

    /// Leaves what was to be removed to `.wendy/lost`.
    fn give_up(&mut self, scan: &mut Scan, ino: Ino, lower: &Lower, place: &Place) -> Result<()> {
        let further = (2..=lower.parts).map(|number| names::part(&place.name, number));
        for name in std::iter::once(place.name.clone()).chain(further) {
            scan.claim_twin(place.dir, &name, ino);
        }
        self.record_one(Record::LowerGone(ino))
    }

    /// Records that the lower of `ino` was found at `place`.
    fn settle_in(
        &mut self,
        ino: Ino,
        lower: Lower,
        place: &Place,
        count: &mut Reconciled,
    ) -> Result<()> {
        if *place == lower.place {
            return Ok(());
        }
        let moved = place.folded() != lower.place.folded();
        let recased = !moved && !self.table.is_unsettled(ino);
        let place = place.clone();
        self.record_one(Record::Lower(
            ino,
            Lower {
                place: place.clone(),
                ..lower
            },
        ))?;
        count.relocated += u64::from(moved);
        if recased {
            count.renamed += 1;
            self.rename_primary(ino, (place.dir, &place.name))?;
        }
        Ok(())
    }

    /// The places that hold such an object: the recorded one, and those an interrupted rename leads
    /// to. A rename cut short can leave both of its names.
    fn possible_places(&self, scan: &Scan, ino: Ino, lower: &Lower) -> Vec<(Place, Found)> {
        let places = [
            Some(lower.place.clone()),
            self.table.wanted(ino),
            Some(Table::waiting_place(ino)),
        ];
        let mut hits: Vec<(Place, Found)> = Vec::new();
        for place in places.into_iter().flatten() {
            let other = self.table.occupant(&place).filter(|other| *other != ino);
            let hit = scan.at(place.dir, &place.name).cloned();
            let hit = hit.filter(|hit| hit.owner.is_none() && self.is_such(ino, hit));
            let Some(hit) = hit.filter(|_| other.is_none()) else {
                continue;
            };
            let place = Place {
                name: hit.name.clone(),
                ..place
            };
            if hits.iter().all(|(known, _)| *known != place) {
                hits.push((place, hit));
            }
        }
        hits
    }

    fn is_such(&self, ino: Ino, hit: &Found) -> bool {
        match self.table.inode(ino).map(|inode| inode.kind) {
            Some(Kind::Directory) => hit.facts.kind == FactKind::Directory,
            Some(_) => hit.facts.kind == FactKind::File,
            None => true,
        }
    }

    /// Takes over a stranger's edit, or what we wrote ourselves but never recorded.
    fn take_over(
        &mut self,
        scan: &mut Scan,
        ino: Ino,
        hit: &Found,
        count: &mut Reconciled,
    ) -> Result<()> {
        let Some(lower) = self.table.lower(ino).cloned() else {
            return Ok(());
        };
        let is_file = self
            .table
            .inode(ino)
            .is_some_and(|inode| inode.kind == Kind::File);
        let (facts, parts) = claim_parts(scan, ino, &lower, hit);
        // Where we have looked before, the changes are our own.
        let ours = !self.unseen.contains(lower.place.dir);
        if !is_file || ours || parts == lower.parts && is_unchanged(&lower.print, &facts) {
            return Ok(());
        }
        count.edited += u64::from(!self.table.names(ino).is_empty());
        // A file with a hole at its end is longer than its lower. One that has only grown is ours, from
        // a use that broke off.
        let hole = |size: u64| size > lower.print.size && facts.size >= lower.print.size;
        let ours = is_same_time(lower.print.born, facts.born);
        let mut batch = self.begin_in_any_case()?;
        self.apply_inode(&mut batch, ino, |inode| {
            inode.size = if ours && hole(inode.size) {
                inode.size.max(facts.size)
            } else {
                facts.size
            };
            let edited = crate::ids::Time {
                seconds: facts.modified,
                nanos: 0,
            };
            if (inode.times.modified.seconds - facts.modified).abs() > TIME_GRAIN {
                (inode.times.modified, inode.times.changed) = (edited, edited);
            }
        })?;
        self.apply(
            &mut batch,
            Record::Lower(
                ino,
                Lower {
                    parts,
                    print: print(&facts),
                    ..lower
                },
            ),
        )?;
        self.finish(batch)
    }

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
        self.record_one(Record::Lower(ino, Lower { place, ..lower }))?;
        self.rename_primary(ino, (dir, &hit.name))?;
        count.renamed += 1;
        scan.claim(dir, &hit.name, ino);
        self.take_over(scan, ino, hit, count)?;
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

/// The further parts of a file, as many as there are in a row.
fn further_parts(scan: &Scan, lower: &Lower, hit: &Found) -> impl Iterator<Item = (String, Facts)> {
    let names = (2..=lower.parts).map(|number| names::part(&hit.name, number));
    names.map_while(|name| {
        let part = scan.at(lower.place.dir, &name)?;
        Some((name, part.facts))
    })
}

/// Claims the further parts of a file; facts of the whole, and how many parts there are in a row.
fn claim_parts(scan: &mut Scan, ino: Ino, lower: &Lower, hit: &Found) -> (Facts, u16) {
    let (mut facts, mut count) = (hit.facts, 1);
    let further: Vec<_> = further_parts(scan, lower, hit).collect();
    for (name, part) in further {
        scan.claim(lower.place.dir, &name, ino);
        facts = with_part(facts, &part);
        count += 1;
    }
    (facts, count)
}
