//! Entries that share an inode with others of the same tree.

use std::ffi::CStr;
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, linkat};
use rustix::io::Errno;

use super::dir::DirState;
use super::files::{Made, Outcome};
use super::{Dir, Mirror, Open, Worker};
use crate::attributes::{lift_flags, open_for_flags, set_flags};
use crate::facts::Facts;
use crate::links::{Claim, Copy, Name};
use crate::{Error, Result};

impl Mirror<'_> {
    /// Brings an entry whose inode has several names.
    pub(super) fn linked(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        (name, facts): (&CStr, Facts),
    ) -> Result<Outcome<()>> {
        let here = || {
            Self::postpone(dir);
            Name {
                dir: Arc::clone(dir),
                name: name.into(),
            }
        };
        match self.links.claim(&facts, here) {
            Claim::First => self.first(worker, dir, open, (name, facts)),
            Claim::Waiting => Ok(Outcome::Done(())),
            Claim::Copied(copy) => self
                .join(worker, dir, open, (name, &copy))
                .map(Outcome::Done),
        }
    }

    /// Brings the first name of an inode, then those that other threads met meanwhile.
    fn first(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        (name, facts): (&CStr, Facts),
    ) -> Result<Outcome<()>> {
        let made = match self.bring(worker, dir, open, (name, &facts))? {
            Outcome::Done(made) => made,
            Outcome::Replaced => return self.retry(worker, &facts).map(|()| Outcome::Replaced),
            Outcome::Vanished => return self.retry(worker, &facts).map(|()| Outcome::Vanished),
        };
        self.settle(worker, dir, open, (name, made))
            .map(Outcome::Done)
    }

    /// Publishes a copy and links the names that waited for it.
    fn settle(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        (name, made): (&CStr, Made),
    ) -> Result<()> {
        let to = Facts::at(self.to(dir, open)?, name)
            .map_err(|errno| Error::write(dir.path_of(name), errno))?;
        self.record(worker, dir, name, &made);
        let at = Name {
            dir: Arc::clone(dir),
            name: name.into(),
        };
        let Made { facts, hash, .. } = made;
        let copy = Arc::new(Copy {
            at,
            ino: to.ino,
            facts,
            hash,
        });
        for waiting in self.links.settle(&copy.facts, Arc::clone(&copy)) {
            if let Some(open) = self.open(&waiting.dir)? {
                self.join(worker, &waiting.dir, &open, (&waiting.name, &copy))?;
                self.flush(worker)?;
            }
            self.finish(waiting.dir)?;
        }
        Ok(())
    }

    /// Lets the names that waited for an inode which vanished be looked at again.
    fn retry(&self, worker: &mut Worker, facts: &Facts) -> Result<()> {
        for waiting in self.links.abandon(facts) {
            if let Some(open) = self.open(&waiting.dir)? {
                self.entry(worker, &waiting.dir, &open, &waiting.name)?;
                self.flush(worker)?;
            }
            self.finish(waiting.dir)?;
        }
        Ok(())
    }

    /// Makes `name` another name of `copy`.
    fn join(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        (name, copy): (&CStr, &Copy<DirState>),
    ) -> Result<()> {
        let to = self.to(dir, open)?;
        let exists =
            !dir.data.fresh && Facts::at(to, name).is_ok_and(|existing| existing.ino == copy.ino);
        if !exists {
            self.make_room(dir, to, name)?;
            match self.link(to, copy, name) {
                Ok(()) => {}
                Err(Errno::MLINK) => return self.split(worker, dir, open, (name, copy)),
                Err(errno) => return Err(Error::write(dir.path_of(name), errno)),
            }
        }
        let made = Made {
            facts: copy.facts.clone(),
            hash: copy.hash,
            copied: false,
        };
        self.total.add(&made.facts, false);
        self.remember(worker, dir, name, &made);
        Ok(())
    }

    fn link(&self, to: BorrowedFd<'_>, copy: &Copy<DirState>, name: &CStr) -> Result<(), Errno> {
        let at = copy.at.dir.open(self.job.dest)?;
        let link = || linkat(&at, &copy.at.name, to, name, AtFlags::empty());
        match link() {
            Err(Errno::PERM) if copy.facts.is_file() && !copy.facts.flags.is_empty() => {
                unlocked(at.as_fd(), copy, link)
            }
            result => result,
        }
    }

    /// The destination allows no more names for the inode: the rest share another copy.
    fn split(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        (name, copy): (&CStr, &Copy<DirState>),
    ) -> Result<()> {
        match self.create(worker, dir, open, (name, &copy.facts))? {
            Outcome::Done(made) => self.settle(worker, dir, open, (name, made)),
            Outcome::Replaced | Outcome::Vanished => {
                self.unsettled();
                Ok(())
            }
        }
    }
}

/// Does `link` while the copy's flags, which forbid another name, are lifted.
fn unlocked(
    dir: BorrowedFd<'_>,
    copy: &Copy<DirState>,
    link: impl Fn() -> Result<(), Errno>,
) -> Result<(), Errno> {
    let file = open_for_flags(dir, &copy.at.name)?;
    lift_flags(file.as_fd())?;
    link()?;
    set_flags(file, copy.facts.flags)
}
