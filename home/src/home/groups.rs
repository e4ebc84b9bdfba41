//! Groups by name: numbers differ between machines, names mostly do not.
//!
//! Inodes keep a number, and the table the names of those numbers. On a machine where the name
//! stands for another number that one is shown; where the name is unknown, the number as it is.

use super::batch::Batch;
use super::{Medium, Options, Owner, Record, Result, State};
use crate::table::{GROUPS_MAX, Table};
use std::collections::HashMap;

/// Where numbers begin that stand for a name only, because the usual one is taken.
const NAMED_ONLY: u32 = 1 << 30;

/// The groups of a machine.
#[derive(Clone, Copy, Debug)]
pub struct GroupNames {
    /// The name of a group.
    pub name_of: fn(u32) -> Option<String>,
    /// The number of a group.
    pub id_of: fn(&str) -> Option<u32>,
}

impl Default for GroupNames {
    /// No names: numbers stay as they are.
    fn default() -> Self {
        Self {
            name_of: |_| None,
            id_of: |_| None,
        }
    }
}

/// Numbers of inodes and numbers of this machine.
#[derive(Debug, Default)]
pub(super) struct Groups {
    here: HashMap<u32, u32>,
    kept: HashMap<u32, u32>,
}

impl Groups {
    /// Those of `table` on this machine. Root's group is the same everywhere.
    pub(super) fn of(table: &Table, names: GroupNames) -> Self {
        let mut groups = Self::default();
        for (kept, name) in table.groups() {
            if let Some(here) = (names.id_of)(name).filter(|here| *here != 0 && *kept != 0) {
                groups.here.insert(*kept, here);
                groups.kept.entry(here).or_insert(*kept);
            }
        }
        groups
    }

    /// The number this machine shows for `group`.
    pub(super) fn here(&self, group: Owner, me: u32) -> u32 {
        match group {
            Owner::Id(kept) => self.here.get(&kept).copied().unwrap_or(kept),
            Owner::Me => me,
        }
    }
}

impl<M: Medium> State<M> {
    /// What an inode keeps for the group that has number `gid` here; records a name met first.
    pub(super) fn group_to_keep(
        &mut self,
        batch: &mut Batch,
        gid: u32,
        options: &Options,
    ) -> Result<Owner> {
        if gid == options.gid || gid == 0 {
            return Ok(Owner::from_id(gid, options.gid));
        }
        if let Some(kept) = self.groups.kept.get(&gid) {
            return Ok(Owner::Id(*kept));
        }
        let Some(name) = (options.groups.name_of)(gid) else {
            return Ok(Owner::Id(gid));
        };
        let taken = self.table.groups();
        if taken.len() >= GROUPS_MAX {
            return Ok(Owner::Id(gid));
        }
        let numbers = std::iter::once(gid).chain(NAMED_ONLY..u32::MAX);
        let free = numbers.into_iter().find(|kept| !taken.contains_key(kept));
        let kept = free.unwrap_or(gid);
        self.apply(batch, Record::Group(kept, name))?;
        self.groups.here.insert(kept, gid);
        self.groups.kept.insert(gid, kept);
        Ok(Owner::Id(kept))
    }
}
