//! The walk through an upper that looks at every entry once.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::FileType;
use rustix::io::Errno;

use super::needs::Needs;
use super::{Forecast, Look};
use crate::content::{Buffer, Failure};
use crate::exclude::Extent;
use crate::facts::Facts;
use crate::index::{Builder, Index, Key, Known};
use crate::names::{Names, list};
use crate::place::{Place, open_below};
use crate::progress::check;
use crate::totals::Counter;
use crate::walk::{self, Queue, Step, Work};
use crate::{Error, Exclude, Progress, Result, silent};

/// Bytes of names handed to another thread at once.
const SHARE: usize = 16 * 1024;

/// A forecast, and the keys of what `known` wrongly takes for unchanged.
pub(super) fn survey(
    upper: BorrowedFd<'_>,
    exclude: &Exclude,
    known: Option<&Index>,
    look: Look,
    progress: &dyn Progress,
) -> Result<(Forecast, Vec<Key>)> {
    let fresh = Builder::new(known, exclude);
    let top = Place::top(fresh.top());
    let silent = look == Look::Data
        && silent::possible_on(upper).map_err(|errno| Error::read(top.path(), errno))?;
    let survey = Survey {
        upper,
        extent: Extent::new(exclude, known),
        known,
        silent,
        progress,
        total: Counter::default(),
        changed: Counter::default(),
        matched: AtomicU64::new(0),
        needs: Needs::default(),
        linked: Mutex::default(),
        forgotten: Mutex::default(),
    };
    let dir = open_below(upper, b".").map_err(|errno| Error::read(top.path(), errno))?;
    let facts = Facts::of(dir.as_fd()).map_err(|errno| Error::read(top.path(), errno))?;
    survey.count(c"", &facts, survey.known(top.data, &facts));
    walk::run(Work::List(top), Buffer::new, |buffer, queue, step| {
        survey.step(buffer, queue, step)
    })?;
    Ok(survey.finish())
}

struct Survey<'a> {
    upper: BorrowedFd<'a>,
    extent: Extent<'a>,
    known: Option<&'a Index>,
    /// Whether to read data, because files can change without a trace in their inode.
    silent: bool,
    progress: &'a dyn Progress,
    total: Counter,
    changed: Counter,
    /// Entries that the index knows, changed or not.
    matched: AtomicU64,
    needs: Needs,
    /// Inodes with several names that were counted.
    linked: Mutex<HashSet<((u32, u32), u64)>>,
    /// What the index takes for unchanged and is not.
    forgotten: Mutex<Vec<Key>>,
}

type Dir = Arc<Place<Key>>;

impl Survey<'_> {
    fn step(&self, buffer: &mut Buffer, queue: &Queue<Key>, step: Step<Key>) -> Result<()> {
        check(self.progress)?;
        match step {
            Step::List(dir) => self.list(buffer, queue, &dir),
            Step::Dir(parent, name) => self.descend(buffer, queue, &parent, name),
            Step::Files(dir, names) => self.batch(buffer, &dir, &names),
        }
    }

    fn descend(
        &self,
        buffer: &mut Buffer,
        queue: &Queue<Key>,
        parent: &Dir,
        name: CString,
    ) -> Result<()> {
        let Some(open) = self.gone(parent, parent.open_child(self.upper, &name))? else {
            return Ok(());
        };
        let key = parent.data.of(&name);
        let facts = Facts::of(open.as_fd()).map_err(|e| Error::read(parent.path_of(&name), e))?;
        self.count(&name, &facts, self.known(key, &facts));
        let dir = Place::below(Arc::clone(parent), name, key);
        self.list_open(buffer, queue, (&dir, &open))
    }

    fn list(&self, buffer: &mut Buffer, queue: &Queue<Key>, dir: &Dir) -> Result<()> {
        match self.gone(dir, dir.open(self.upper))? {
            Some(open) => self.list_open(buffer, queue, (dir, &open)),
            None => Ok(()),
        }
    }

    fn list_open(
        &self,
        buffer: &mut Buffer,
        queue: &Queue<Key>,
        (dir, open): (&Dir, &OwnedFd),
    ) -> Result<()> {
        let mut subdirs = Names::default();
        let mut files = Names::default();
        let listed = list(open, |name, kind| -> Result<(), Errno> {
            if self.extent.leaves_out((dir, dir.data), name) {
                return Ok(());
            }
            if kind == FileType::Directory {
                subdirs.push(name);
            } else {
                files.push(name);
            }
            if files.bytes() > SHARE {
                queue.push(Work::Files(Arc::clone(dir), std::mem::take(&mut files)));
            }
            Ok(())
        });
        listed.map_err(|errno| Error::read(dir.path(), errno))?;
        if !subdirs.is_empty() {
            queue.push(Work::Dirs(Arc::clone(dir), subdirs));
        }
        self.entries(buffer, (dir, open), &files)
    }

    fn batch(&self, buffer: &mut Buffer, dir: &Dir, names: &Names) -> Result<()> {
        match self.gone(dir, dir.open(self.upper))? {
            Some(open) => self.entries(buffer, (dir, &open), names),
            None => Ok(()),
        }
    }

    fn entries(
        &self,
        buffer: &mut Buffer,
        (dir, open): (&Dir, &OwnedFd),
        names: &Names,
    ) -> Result<()> {
        for name in names.iter() {
            check(self.progress)?;
            match Facts::at(open.as_fd(), name) {
                Ok(facts) => {
                    let known = self
                        .confirmed(buffer, (dir, open), name, &facts)
                        .map_err(|failure| failure.named(|| dir.path_of(name)))?;
                    self.count(name, &facts, known);
                }
                Err(Errno::NOENT | Errno::STALE) => {}
                Err(errno) => return Err(Error::read(dir.path_of(name), errno)),
            }
        }
        Ok(())
    }

    fn known(&self, key: Key, facts: &Facts) -> Known {
        self.known
            .map_or(Known::New, |index| index.lookup(key, facts))
    }

    /// What the index knows about an entry, and its data bears out where its inode may deceive.
    fn confirmed(
        &self,
        buffer: &mut Buffer,
        (dir, open): (&Dir, &OwnedFd),
        name: &CStr,
        facts: &Facts,
    ) -> Result<Known, Failure> {
        let key = dir.data.of(name);
        let known = self.known(key, facts);
        let Known::Same(hash) = known else {
            return Ok(known);
        };
        let trusted = !self.silent || !facts.is_file() || facts.size == 0;
        let file = (open.as_fd(), name);
        if trusted || silent::is_unchanged(buffer, file, facts, hash, self.progress)? {
            return Ok(known);
        }
        let mut forgotten = self
            .forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        forgotten.push(key);
        Ok(Known::Changed)
    }

    fn count(&self, name: &CStr, facts: &Facts, known: Known) {
        let with_data = !facts.is_linked() || self.first_name(facts);
        self.total.add(facts, with_data);
        self.needs.name(name, facts);
        if known != Known::New {
            self.matched.fetch_add(1, Ordering::Relaxed);
        }
        if !matches!(known, Known::Same(_)) {
            self.changed.add(facts, with_data);
            if with_data {
                self.needs.inode(facts);
            }
        }
        self.progress.advance(0, 1);
    }

    fn first_name(&self, facts: &Facts) -> bool {
        let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        linked.insert((facts.dev, facts.ino))
    }

    /// A directory that vanished, or is a mount point, counts as empty.
    fn gone(&self, dir: &Dir, opened: Result<OwnedFd, Errno>) -> Result<Option<OwnedFd>> {
        match opened {
            Ok(open) => Ok(Some(open)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE | Errno::XDEV) => {
                Ok(None)
            }
            Err(errno) => Err(Error::read(dir.path(), errno)),
        }
    }

    fn finish(self) -> (Forecast, Vec<Key>) {
        let known = self.known.map_or(0, |index| index.len() as u64);
        let forgotten = self.forgotten.into_inner();
        let forecast = Forecast {
            total: self.total.totals(),
            changed: self.changed.totals(),
            removed: known.saturating_sub(self.matched.into_inner()),
            space: self.needs.space(),
            inodes: self.needs.inodes(),
        };
        (forecast, forgotten.unwrap_or_else(PoisonError::into_inner))
    }
}
