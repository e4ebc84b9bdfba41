//! Changing names after strangers did: renaming, dropping, adopting.

use super::super::batch::Batch;
use super::super::{Ino, Inode, Medium, Options, Owner, Record, Result, State, new_inode, print};
use super::Reconciled;
use super::scan::{Found, Scan};
use crate::ids::Time;
use crate::medium::{FactKind, Facts};
use crate::names;
use crate::record::{Kind, Lower, Place, Times};
use crate::table::NameRef;
use std::collections::HashSet;

impl<M: Medium> State<M> {
    /// Lets the first name of `ino` follow its lower name.
    pub(super) fn rename_primary(&mut self, ino: Ino, (dir, lower): (Ino, &str)) -> Result<()> {
        let Some(NameRef { dir: old, name }) = self.table.names(ino).first().cloned() else {
            return Ok(());
        };
        if self.table.is_directory(ino) && self.table.is_within(dir, ino) {
            return Ok(());
        }
        let mut batch = self.begin_in_any_case()?;
        self.apply(&mut batch, Record::EntryGone { dir: old, name })?;
        self.name_after(&mut batch, (dir, lower), ino)?;
        self.finish(batch)
    }

    /// Removes objects that are nowhere, with all names below them.
    pub(super) fn drop_missing(&mut self, missing: &[Ino], count: &mut Reconciled) -> Result<()> {
        let named = |ino: &&Ino| !self.table.names(**ino).is_empty();
        count.missing += missing.iter().filter(named).count() as u64;
        let gone: HashSet<Ino> = missing.iter().copied().collect();
        for ino in missing {
            self.move_out(*ino, &gone, count)?;
        }
        missing.iter().try_for_each(|ino| self.drop_tree(*ino))
    }

    /// Names what had been moved into a directory that is gone, but not on the medium, after where it
    /// stands: who removed the directory has not removed that.
    fn move_out(&mut self, dir: Ino, gone: &HashSet<Ino>, count: &mut Reconciled) -> Result<()> {
        let entries = self.table.entries(dir).into_iter().flatten();
        let inside = entries.map(|(name, entry)| (name.to_vec(), entry.ino));
        for (name, ino) in inside.collect::<Vec<_>>() {
            let elsewhere = |known: &NameRef| !gone.contains(&known.dir);
            if gone.contains(&ino) || self.table.names(ino).iter().any(elsewhere) {
                continue;
            }
            let Some(Lower { place, .. }) = self.table.lower(ino).cloned() else {
                continue;
            };
            let unfit = self.is_dead(place.dir) || self.table.is_within(place.dir, ino);
            let (dir, lower) = match place.dir {
                Ino::TMP => (Ino::ROOT, names::encode(&name)),
                _ if unfit => (Ino::ROOT, place.name),
                dir => (dir, place.name),
            };
            self.rename_primary(ino, (dir, &lower))?;
            count.renamed += 1;
        }
        Ok(())
    }

    /// Adopts everything nobody owns, directories before what is in them.
    pub(super) fn adopt_unknown(
        &mut self,
        scan: &mut Scan,
        options: &Options,
        count: &mut Reconciled,
    ) -> Result<()> {
        loop {
            let unknown = scan.unknown();
            if unknown.is_empty() {
                return Ok(());
            }
            for (dir, found) in unknown {
                let claimed = scan
                    .at(dir, &found.name)
                    .is_none_or(|now| now.owner.is_some());
                if !claimed {
                    let came_back = self.adopt(scan, (dir, &found), options)?;
                    count.returned += u64::from(came_back);
                    count.adopted += u64::from(!came_back);
                }
            }
        }
    }

    /// Says whether it is one that was lost.
    fn adopt(
        &mut self,
        scan: &mut Scan,
        (dir, found): (Ino, &Found),
        options: &Options,
    ) -> Result<bool> {
        let lost = self.lost_like(dir, found);
        let ino = lost.unwrap_or(self.table.next_ino());
        let place = Place {
            dir,
            name: found.name.clone(),
        };
        let (facts, parts) = self.take_along(scan, ino, &place, (found.facts, 1));
        let inode = adopted_inode(&facts, options);
        let mut batch = self.begin_in_any_case()?;
        match lost {
            Some(lost) => self.take_back(&mut batch, lost, &inode)?,
            None => self.apply(&mut batch, Record::Inode(ino, inode))?,
        }
        self.name_after(&mut batch, (dir, &found.name), ino)?;
        let lower = Lower {
            place,
            parts,
            print: print(&facts),
        };
        if self.table.occupant(&lower.place).is_none() {
            self.apply(&mut batch, Record::Lower(ino, lower))?;
        }
        scan.claim(dir, &found.name, ino);
        self.finish(batch)?;
        if lost.is_some() {
            self.take_back_links(dir, &found.name, ino)?;
        }
        Ok(lost.is_some())
    }

    /// Names `ino` in `dir` as its lower name says, or nearly so when that name is taken.
    fn name_after(&mut self, batch: &mut Batch, (dir, lower): (Ino, &str), ino: Ino) -> Result<()> {
        let plain = names::name_for(lower);
        let candidates = (1u32..).map(|n| names::numbered(&plain, n));
        let free = |name: &Vec<u8>| {
            self.table.entry(dir, name).is_none() && self.table.is_nameable(dir, name)
        };
        let name = candidates.into_iter().find(free).unwrap_or(plain);
        // What is called like a part of another file would be in its way when it grows.
        let in_the_way =
            names::first_part(lower).is_some_and(|first| self.table.is_claimed(dir, first));
        let as_it_is =
            names::encode(&name) != lower && !self.table.is_claimed(dir, lower) && !in_the_way;
        let stands_for_it = names::decode(lower) == name || names::name_for(lower) == name;
        let alias = if as_it_is && stands_for_it {
            Some(lower.to_owned())
        } else {
            self.table.alias_for(dir, &name)
        };
        self.apply(
            batch,
            Record::Entry {
                dir,
                name,
                ino,
                alias,
            },
        )
    }

    fn drop_tree(&mut self, top: Ino) -> Result<()> {
        let mut order = vec![top];
        let mut at = 0;
        while let Some(ino) = order.get(at).copied() {
            at += 1;
            let below = self.table.entries(ino).into_iter().flatten();
            order.extend(
                below
                    .map(|(_, entry)| entry.ino)
                    .filter(|ino| self.table.is_directory(*ino)),
            );
        }
        for dir in order.into_iter().rev() {
            self.drop_one(dir)?;
        }
        Ok(())
    }

    fn drop_one(&mut self, ino: Ino) -> Result<()> {
        let below: Vec<Vec<u8>> = self
            .table
            .entries(ino)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.to_vec())
            .collect();
        for name in below {
            self.drop_name(ino, name)?;
        }
        for NameRef { dir, name } in self.table.names(ino).to_vec() {
            self.drop_name(dir, name)?;
        }
        if self.table.inode(ino).is_some() {
            self.record_one(Record::InodeGone(ino))?;
        }
        self.record_one(Record::LowerGone(ino))
    }

    fn drop_name(&mut self, dir: Ino, name: Vec<u8>) -> Result<()> {
        let ino = self.find(dir, &name)?;
        let path = self.table.home_path(dir, &name);
        self.record_one(Record::EntryGone { dir, name })?;
        self.lose_if_unused(ino, path)
    }
}

fn adopted_inode(facts: &Facts, options: &Options) -> Inode {
    let (kind, mode) = match facts.kind {
        FactKind::Directory => (Kind::Directory, options.adopted_dir_mode),
        _ => (Kind::File, options.adopted_file_mode),
    };
    let modified = Time {
        seconds: facts.modified,
        nanos: 0,
    };
    let born = if facts.born == 0 {
        modified.seconds
    } else {
        facts.born
    };
    let born = Time {
        seconds: born,
        nanos: 0,
    };
    let times = Times {
        accessed: modified,
        modified,
        changed: modified,
        born,
    };
    let size = if kind == Kind::File { facts.size } else { 0 };
    Inode {
        size,
        times,
        ..new_inode(kind, mode, (Owner::Me, Owner::Me))
    }
}
