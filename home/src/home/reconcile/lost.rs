//! What strangers took away is remembered for a month, in case they bring it back.
//!
//! A folder moved to another computer and back again keeps its modes, links and attributes.

use super::super::batch::Batch;
use super::super::{Ino, Inode, Medium, Record, Result, State, Time};
use super::looks::TIME_GRAIN;
use super::scan::Found;
use crate::medium::FactKind;
use crate::names;
use crate::record::{Kind, LOST_PATH_MAX};

/// Seconds for which lost inodes are remembered.
const MEMORY: i64 = 30 * 24 * 3600;

impl<M: Medium> State<M> {
    /// Forgets what has been lost for too long.
    pub(in super::super) fn forget_lost(&mut self, now: i64) -> Result<()> {
        let old = |since: i64| since.saturating_add(MEMORY) < now;
        let lost = self.table.lost().filter(|(_, lost)| old(lost.since));
        let gone: Vec<Ino> = lost.map(|(ino, _)| ino).collect();
        gone.into_iter()
            .try_for_each(|ino| self.record_one(Record::InodeGone(ino)))
    }

    /// Remembers an inode that has just lost its last name, which was at `path`.
    pub(super) fn lose_if_unused(&mut self, ino: Ino, path: Vec<u8>) -> Result<()> {
        let unused = self.is_unused(ino);
        if !unused || path.len() > LOST_PATH_MAX {
            return self.drop_if_unused(ino);
        }
        let since = Time::now().seconds;
        self.record_one(Record::Lost { ino, since, path })
    }

    /// A lost inode of the same kind at the same path.
    pub(super) fn lost_like(&self, dir: Ino, found: &Found) -> Option<Ino> {
        let path = self.table.home_path(dir, &names::name_for(&found.name));
        let (ino, inode) = self.table.lost_at(&path)?;
        let is_directory = found.facts.kind == FactKind::Directory;
        let alike = match inode.kind {
            Kind::Directory => is_directory,
            Kind::File => !is_directory,
            _ => false,
        };
        (alike && self.table.lower(ino).is_none()).then_some(ino)
    }

    /// Takes a lost inode back; where its content differs, size and times are those of `there`.
    pub(super) fn take_back(&mut self, batch: &mut Batch, ino: Ino, there: &Inode) -> Result<()> {
        self.apply(batch, Record::Found(ino))?;
        if there.kind == Kind::Directory {
            return Ok(());
        }
        self.apply_inode(batch, ino, |inode| {
            let seconds = |inode: &Inode| inode.times.modified.seconds;
            if inode.size != there.size || (seconds(inode) - seconds(there)).abs() > TIME_GRAIN {
                (inode.times.modified, inode.times.changed) =
                    (there.times.modified, there.times.changed);
            }
            inode.size = there.size;
        })
    }

    /// Takes back the links that were in a directory which is back, called `lower` in `dir`.
    pub(super) fn take_back_links(&mut self, dir: Ino, lower: &str, ino: Ino) -> Result<()> {
        let path = self.table.home_path(dir, &names::name_for(lower));
        for (link, name) in self.table.lost_links_in(&path) {
            if self.require_free(ino, &name).is_ok() {
                let mut batch = self.begin_in_any_case()?;
                self.apply(&mut batch, Record::Found(link))?;
                self.name(&mut batch, ino, &name, link)?;
                self.finish(batch)?;
            }
        }
        Ok(())
    }
}
