//! Finding all parts of a file, wherever an interruption has left them.

use super::super::{Errno, Ino, Medium, Result, State, errno};
use super::Reconciled;
use super::looks::with_part;
use super::scan::{Found, Scan};
use crate::medium::{FactKind, Facts, MediumFile};
use crate::names;
use crate::parts::PARTS_MAX;
use crate::record::Place;

/// Where part `number` (from 1) of a file stands whose first part is at `first`.
pub(super) fn part_of(first: &Place, number: u16) -> Place {
    Place {
        dir: first.dir,
        name: names::part(&first.name, number),
    }
}

impl<M: Medium> State<M> {
    /// How long part `number` (from 1) of the lower of `ino` was when that was recorded.
    pub(super) fn length_of_part(&self, ino: Ino, number: u16) -> u64 {
        let Some(lower) = self.table.lower(ino) else {
            return 0;
        };
        let full = self.medium.limits().part_size_of_split();
        if number < lower.parts {
            full
        } else {
            let before = full.saturating_mul(u64::from(lower.parts - 1));
            lower.print.size.saturating_sub(before)
        }
    }

    /// Claims the further parts of a file whose first one is at a place. Those at other `places` were
    /// renamed before the first one could be: they follow it. Says how the whole looks, and how many
    /// parts there are in a row.
    pub(super) fn gather(
        &mut self,
        scan: &mut Scan,
        ino: Ino,
        (first, hit): (&Place, &Found),
        places: &[Place],
        count: &mut Reconciled,
    ) -> (Facts, u16) {
        let parts = self.table.lower(ino).map_or(1, |lower| lower.parts);
        let places: Vec<Place> = [first].into_iter().chain(places).cloned().collect();
        let mut whole = (hit.facts, 1);
        for number in 2..=parts {
            let Some((place, part)) = self.choose(scan, ino, &places, number, count) else {
                break;
            };
            let beside = part_of(first, number);
            if place.folded() != beside.folded()
                && let Err(error) = self.bring(&place, &beside)
            {
                tracing::warn!(?place, %error, "cannot bring a part back to its file");
                break;
            }
            whole = (with_part(whole.0, &part.facts), number);
        }
        whole
    }

    fn bring(&self, from: &Place, to: &Place) -> Result<()> {
        let [from, to] = [from, to].map(|place| self.table.path(place).ok_or(Errno::IO));
        let (from, to) = (from?, to?);
        self.medium.rename(&from, &to).map_err(errno)?;
        // Nothing is there on a medium that is only looked at.
        let moved = self.medium.open(&to);
        moved.map_or(Ok(()), |part| part.sync()).map_err(errno)
    }

    /// Takes along what nobody knows beside a file whose last part is full: it goes on there.
    pub(super) fn take_along(
        &self,
        scan: &mut Scan,
        ino: Ino,
        first: &Place,
        (mut facts, mut parts): (Facts, u16),
    ) -> (Facts, u16) {
        let full = self.medium.limits().part_size_of_split();
        let length = |scan: &Scan, parts: u16| {
            let last = part_of(first, parts);
            scan.at(last.dir, &last.name).map(|last| last.facts.size)
        };
        let is_file = facts.kind == FactKind::File;
        while is_file && parts < PARTS_MAX && length(scan, parts) == Some(full) {
            let next = part_of(first, parts + 1);
            let found = scan.at(next.dir, &next.name);
            let unknown = found.filter(|found| found.owner.is_none());
            let file = unknown.filter(|found| found.facts.kind == FactKind::File);
            let Some(part) = file.map(|found| found.facts) else {
                break;
            };
            if self.table.occupant(&next).is_some() {
                break;
            }
            scan.claim(next.dir, &next.name, ino);
            (facts, parts) = (with_part(facts, &part), parts + 1);
        }
        (facts, parts)
    }
}
