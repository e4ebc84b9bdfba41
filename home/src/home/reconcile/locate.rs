//! Finding the lowers of the table on the medium.

use super::super::{Ino, Medium, Record, Result, State, print};
use super::Reconciled;
use super::looks::{TIME_GRAIN, is_foreign, is_same_time, is_unchanged};
use super::parts::part_of;
use super::scan::{Found, Scan};
use crate::medium::{FactKind, Facts};
use crate::record::{Kind, Lower, Place};
use crate::table::Table;

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

    pub(super) fn locate(
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
        let places = self.possible_places(ino, &lower);
        let Some((place, hit)) = self.choose(scan, ino, &places, 1, count) else {
            return Ok(false);
        };
        self.settle_in(ino, lower, &place, count)?;
        let whole = self.gather(scan, ino, (&place, &hit), &places, count);
        if self.is_strangers(ino, &whole.0) {
            self.give_up(scan, ino, &place, count)?;
        } else {
            self.take_over(scan, ino, whole, count)?;
        }
        Ok(true)
    }

    /// Whether what is to be removed is not what we meant to remove.
    fn is_strangers(&self, ino: Ino, facts: &Facts) -> bool {
        let Some(lower) = self.table.lower(ino) else {
            return false;
        };
        // Where we have looked before, all of it is our own.
        let unseen = self.unseen.contains(lower.place.dir);
        let is_file = facts.kind == FactKind::File;
        unseen && is_file && self.table.is_garbage(ino) && is_foreign(&lower.print, facts)
    }

    /// Leaves what was to be removed to `.wendy/lost`.
    fn give_up(
        &mut self,
        scan: &mut Scan,
        ino: Ino,
        place: &Place,
        count: &mut Reconciled,
    ) -> Result<()> {
        let parts = self.table.lower(ino).map_or(1, |lower| lower.parts);
        for number in 1..=parts {
            self.clear_twin(scan, ino, &part_of(place, number), count);
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

    /// The places where such an object may be: the recorded one, and those an interrupted rename leads
    /// to.
    fn possible_places(&self, ino: Ino, lower: &Lower) -> Vec<Place> {
        let places = [
            Some(lower.place.clone()),
            self.table.wanted(ino),
            Some(Table::waiting_place(ino)),
        ];
        let anothers = |place: &Place| self.table.occupant(place).is_some_and(|it| it != ino);
        let places = places.into_iter().flatten();
        places.filter(|place| !anothers(place)).collect()
    }

    /// Claims the one of all objects that may be this part of the lower of `ino`. A rename cut short can
    /// leave both of its names: the other one is cleared away.
    pub(super) fn choose(
        &mut self,
        scan: &mut Scan,
        ino: Ino,
        places: &[Place],
        number: u16,
        count: &mut Reconciled,
    ) -> Option<(Place, Found)> {
        let mut hits = self.hits(scan, ino, places, number);
        let length = self.length_of_part(ino, number);
        // One that looks as recorded, else the recorded one if there is anything in it.
        let same = hits.iter().position(|(_, hit)| hit.facts.size == length);
        let held = || hits.iter().position(|(_, hit)| hit.facts.size > 0);
        let best = same.or_else(held).unwrap_or(0);
        if hits.is_empty() {
            return None;
        }
        let (place, hit) = hits.remove(best);
        for (twin, _) in hits {
            self.clear_twin(scan, ino, &twin, count);
        }
        scan.claim(place.dir, &place.name, ino);
        Some((place, hit))
    }

    fn hits(&self, scan: &Scan, ino: Ino, places: &[Place], number: u16) -> Vec<(Place, Found)> {
        let mut hits: Vec<(Place, Found)> = Vec::new();
        for place in places.iter().map(|place| part_of(place, number)) {
            let hit = scan.at(place.dir, &place.name).cloned();
            let hit = hit.filter(|hit| hit.owner.is_none() && self.is_such(ino, hit));
            let anothers = self.table.occupant(&place).is_some_and(|it| it != ino);
            let Some(hit) = hit.filter(|_| !anothers) else {
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

    fn clear_twin(&self, scan: &mut Scan, ino: Ino, twin: &Place, count: &mut Reconciled) {
        if let Some((path, facts)) = scan.claim_twin(twin.dir, &twin.name, ino) {
            count.lost += u64::from(self.clear_leftover(&path, &facts));
        }
    }

    fn is_such(&self, ino: Ino, hit: &Found) -> bool {
        match self.table.inode(ino).map(|inode| inode.kind) {
            Some(Kind::Directory) => hit.facts.kind == FactKind::Directory,
            Some(_) => hit.facts.kind == FactKind::File,
            None => true,
        }
    }

    /// Takes over a stranger's edit, or what we wrote ourselves but never recorded.
    pub(super) fn take_over(
        &mut self,
        scan: &mut Scan,
        ino: Ino,
        (facts, parts): (Facts, u16),
        count: &mut Reconciled,
    ) -> Result<()> {
        let Some(lower) = self.table.lower(ino).cloned() else {
            return Ok(());
        };
        let is_file = self
            .table
            .inode(ino)
            .is_some_and(|inode| inode.kind == Kind::File);
        // Where we have looked before, the changes are our own.
        let ours = !self.unseen.contains(lower.place.dir);
        if !is_file || ours || parts == lower.parts && is_unchanged(&lower.print, &facts) {
            return Ok(());
        }
        let (facts, parts) = self.take_along(scan, ino, &lower.place, (facts, parts));
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
}
