//! Everything that is not a directory: keep it, link it to the previous generation, or copy it.

use std::ffi::CStr;

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, linkat};
use rustix::io::Errno;

use super::{Dir, Mirror, Open, Worker};
use crate::facts::Facts;
use crate::index::Known;
use crate::names::Names;
use crate::progress::check;
use crate::{Error, Result};

/// Looks at a name before an entry that is replaced again and again is left to the next pass.
const ATTEMPTS: usize = 3;

/// An entry that is now in the destination.
pub(super) struct Made {
    /// The source it was made from.
    pub facts: Facts,
    pub hash: u64,
    /// Whether it was copied, and not kept or linked.
    pub copied: bool,
}

/// What became of one look at a name.
pub(super) enum Outcome<T> {
    Done(T),
    /// Another entry took the name meanwhile.
    Replaced,
    /// The name is gone, or a directory's now.
    Vanished,
}

impl<T> Outcome<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(done) => Outcome::Done(f(done)),
            Self::Replaced => Outcome::Replaced,
            Self::Vanished => Outcome::Vanished,
        }
    }
}

impl Mirror<'_> {
    /// Deals with some files of a directory that another thread has listed.
    pub(super) fn batch(&self, worker: &mut Worker, dir: Dir, names: &Names) -> Result<()> {
        if let Some(open) = self.open(&dir)? {
            self.files(worker, &dir, &open, names)?;
        }
        self.finish(dir)
    }

    /// Deals with some files of an open directory.
    pub(super) fn files(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        names: &Names,
    ) -> Result<()> {
        for name in names.iter() {
            check(&self.watch)?;
            self.entry(worker, dir, open, name)?;
        }
        self.flush(worker)
    }

    /// Hands the collected records to the manifest.
    pub(super) fn flush(&self, worker: &mut Worker) -> Result<()> {
        if let Some(manifest) = self.job.manifest
            && !worker.records.is_empty()
        {
            manifest.append(&worker.records)?;
        }
        worker.records.clear();
        Ok(())
    }

    /// Brings one entry of the destination to the state of the source.
    pub(super) fn entry(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        name: &CStr,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            match self.attempt(worker, dir, open, name)? {
                Outcome::Done(()) => return Ok(()),
                Outcome::Vanished => return self.vanished(dir, name),
                Outcome::Replaced => {}
            }
        }
        self.unsettled();
        self.vanished(dir, name)
    }

    fn attempt(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        name: &CStr,
    ) -> Result<Outcome<()>> {
        let facts = match Facts::at(open.from.as_fd(), name) {
            Ok(facts) if !facts.is_dir() => facts,
            Ok(_) | Err(Errno::NOENT | Errno::STALE) => return Ok(Outcome::Vanished),
            Err(errno) => return Err(Error::read(dir.path_of(name), errno)),
        };
        if facts.is_linked() {
            return self.linked(worker, dir, open, (name, facts));
        }
        let outcome = self.bring(worker, dir, open, (name, &facts))?;
        Ok(outcome.map(|made| self.record(worker, dir, name, &made)))
    }

    /// Keeps, links or copies an entry that is not linked to another of this pass.
    pub(super) fn bring(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        (name, facts): (&CStr, &Facts),
    ) -> Result<Outcome<Made>> {
        let known = self.known(dir.data.key.of(name), facts);
        if !dir.data.fresh {
            if let Known::Same(hash) = known
                && self.is_there(dir, open, (name, facts))?
            {
                return Ok(Outcome::Done(Made {
                    facts: facts.clone(),
                    hash,
                    copied: false,
                }));
            }
            self.make_room(dir, self.to(dir, open)?, name)?;
        }
        if let Known::Same(hash) = known
            && self.link_to_previous(dir, open, (name, facts))?
        {
            return Ok(Outcome::Done(Made {
                facts: facts.clone(),
                hash,
                copied: false,
            }));
        }
        self.create(worker, dir, open, (name, facts))
    }

    /// Whether the copy of an entry that has not changed is there. Which of many names were linked
    /// depends on the order in which they were met.
    fn is_there(&self, dir: &Dir, open: &Open, (name, facts): (&CStr, &Facts)) -> Result<bool> {
        if !facts.is_linked() {
            return Ok(true);
        }
        let to = self.to(dir, open)?;
        Ok(Facts::at(to, name).is_ok_and(|it| facts.looks_like(&it)))
    }

    /// Tries to share the previous generation's inode, if that looks as it was left: a check of the
    /// filesystem may have changed it since, or another computer.
    fn link_to_previous(
        &self,
        dir: &Dir,
        open: &Open,
        (name, facts): (&CStr, &Facts),
    ) -> Result<bool> {
        let Some(previous) = &open.previous else {
            return Ok(false);
        };
        if !Facts::at(previous.as_fd(), name).is_ok_and(|it| facts.looks_like(&it)) {
            return Ok(false);
        }
        Self::mark("copy.share", &|| dir.path_of(name))?;
        match linkat(previous, name, self.to(dir, open)?, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            // Too many names already, immutable, or of another filesystem: copy instead.
            Err(Errno::MLINK | Errno::PERM | Errno::XDEV | Errno::NOENT) => Ok(false),
            Err(errno) => Err(Error::write(dir.path_of(name), errno)),
        }
    }

    /// Notes an entry whose data was not counted before.
    pub(super) fn record(&self, worker: &mut Worker, dir: &Dir, name: &CStr, made: &Made) {
        self.total.add(&made.facts, true);
        if made.copied {
            self.written.add(&made.facts, true);
        }
        self.remember(worker, dir, name, made);
    }

    /// Notes an entry in the index and the manifest.
    pub(super) fn remember(&self, worker: &mut Worker, dir: &Dir, name: &CStr, made: &Made) {
        self.index
            .record(dir.data.key.of(name), &made.facts, made.hash);
        if self.job.manifest.is_some() {
            worker.records.entry(dir.data.number, name, made.hash);
        }
        self.job.progress.advance(0, 1);
    }
}
