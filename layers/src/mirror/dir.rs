//! Directories: entering, listing, pruning, and sealing once everything below is done.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, mkdirat};
use rustix::io::Errno;

use super::listing::{Listing, Stop};
use super::{Dir, Mirror, Open, Worker};
use crate::attributes::{Target, Xattrs, apply, remove_others, unlock};
use crate::facts::Facts;
use crate::index::{Key, Known};
use crate::names::{Names, list};
use crate::place::{Place, open_below};
use crate::progress::Quiet;
use crate::remove::remove_entry;
use crate::walk::{BATCH, Queue, Work};
use crate::{EntryPath, Error, Result, hash};

/// What is remembered about a directory from its first entry to its last.
pub(super) struct DirState {
    pub key: Key,
    /// Its number in the manifest.
    pub number: u32,
    facts: Facts,
    xattrs: Xattrs,
    /// Whether this pass made it, so that it holds nothing yet.
    pub fresh: bool,
    /// Whether the copy has no name that the source has not.
    pruned: bool,
    /// Whether its attributes have to be set, because they differ or an entry was changed.
    dirty: AtomicBool,
    /// Pieces of work not done yet; the directory is sealed with the last.
    work: AtomicUsize,
}

/// A directory of the source as it was found.
struct Found {
    from: OwnedFd,
    facts: Facts,
    xattrs: Xattrs,
}

impl Mirror<'_> {
    /// The top of the tree, ready to be listed.
    pub(super) fn top(&self) -> Result<Dir> {
        let top = || EntryPath::new("");
        let from = open_below(self.job.upper, b".").map_err(|errno| Error::read(top(), errno))?;
        let found = find(from).map_err(|errno| Error::read(top(), errno))?;
        if self.fresh {
            let to = open_below(self.job.dest, b".");
            to.and_then(|to| unlock(to.as_fd()))
                .map_err(|errno| Error::write(top(), errno))?;
        }
        self.state(None, c"", (found.facts, found.xattrs), self.fresh)
            .map(Place::top)
    }

    /// Enters the subdirectory `name` of `parent` and lists it.
    pub(super) fn descend(
        &self,
        worker: &mut Worker,
        queue: &Queue<DirState>,
        parent: Dir,
        name: CString,
    ) -> Result<()> {
        match parent.open_child(self.job.upper, &name).and_then(find) {
            Ok(found) => {
                let (dir, open) = self.enter(parent, name, found)?;
                self.list_open(worker, queue, dir, &open)
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE) => {
                self.vanished(&parent, &name)?;
                self.finish(parent)
            }
            Err(Errno::XDEV) => {
                tracing::warn!(path = %parent.path_of(&name), "left out: something is mounted there");
                self.finish(parent)
            }
            Err(errno) => Err(Error::read(parent.path_of(&name), errno)),
        }
    }

    /// Makes sure the destination has the directory that was found.
    fn enter(&self, parent: Dir, name: CString, found: Found) -> Result<(Dir, Open)> {
        let Found {
            from,
            facts,
            xattrs,
        } = found;
        let known = self.known(parent.data.key.of(&name), &facts);
        let is_there = !parent.data.fresh && matches!(known, Known::Same(_));
        let to = OnceCell::new();
        let fresh = !is_there && self.make_dir(&parent, (&name, &facts), &to)?;
        let state = self.state(Some(&parent), &name, (facts, xattrs), fresh)?;
        let dir = Place::below(parent, name, state);
        let previous = self.previous.and_then(|tree| dir.open(tree).ok());
        Ok((dir, Open { from, to, previous }))
    }

    /// Makes the directory `name` and opens it, unless there is one. Says whether it is new.
    fn make_dir(
        &self,
        parent: &Dir,
        (name, facts): (&CStr, &Facts),
        opened: &OnceCell<OwnedFd>,
    ) -> Result<bool> {
        let fail = |errno| Error::write(parent.path_of(name), errno);
        let to = parent.open(self.job.dest).map_err(fail)?;
        if !parent.data.fresh && Facts::at(to.as_fd(), name).is_ok_and(|it| it.is_dir()) {
            return Ok(false);
        }
        self.make_room(parent, to.as_fd(), name)?;
        // With its own mode from the beginning: nobody else may ever look inside.
        mkdirat(&to, name, Mode::from_raw_mode(facts.mode & 0o777)).map_err(fail)?;
        let made = open_below(to.as_fd(), name.to_bytes()).map_err(fail)?;
        opened.get_or_init(|| made);
        Ok(true)
    }

    /// Records a directory.
    fn state(
        &self,
        parent: Option<&Dir>,
        name: &CStr,
        (facts, xattrs): (Facts, Xattrs),
        fresh: bool,
    ) -> Result<DirState> {
        let key = parent.map_or_else(|| self.index.top(), |parent| parent.data.key.of(name));
        let known = self.known(key, &facts);
        let hash = match known {
            Known::Same(hash) => hash,
            _ => hash::entry(&facts, &xattrs, &[]),
        };
        let same = !fresh && matches!(known, Known::Same(_));
        self.index.record(key, &facts, hash);
        self.total.add(&facts, true);
        if !same {
            self.written.add(&facts, true);
        }
        self.job.progress.advance(0, 1);
        let number = match self.job.manifest {
            Some(manifest) => {
                manifest.directory(parent.map_or(0, |parent| parent.data.number), name, hash)?
            }
            None => 0,
        };
        Ok(DirState {
            key,
            number,
            facts,
            xattrs,
            fresh,
            pruned: fresh || (same && self.extent.is_as_known()),
            dirty: AtomicBool::new(!same),
            work: AtomicUsize::new(1),
        })
    }

    /// Lists a directory entered before.
    pub(super) fn list(
        &self,
        worker: &mut Worker,
        queue: &Queue<DirState>,
        dir: Dir,
    ) -> Result<()> {
        match self.open(&dir)? {
            Some(open) => self.list_open(worker, queue, dir, &open),
            None => self.finish(dir),
        }
    }

    /// Finds what is in a directory, shares the work out and does a part of it.
    fn list_open(
        &self,
        worker: &mut Worker,
        queue: &Queue<DirState>,
        dir: Dir,
        open: &Open,
    ) -> Result<()> {
        let mut found = Listing::default();
        let listed = list(&open.from, |name, kind| -> Result<(), Stop> {
            if self.extent.leaves_out((&dir, dir.data.key), name) {
                return Ok(());
            }
            found.add(&dir, name, kind == FileType::Directory);
            if found.count == BATCH {
                self.share(worker, queue, (&dir, open), found.take_files())?;
            }
            Ok(())
        });
        listed.map_err(|stop| stop.named(&dir))?;
        if !dir.data.pruned {
            self.prune(&dir, self.to(&dir, open)?, &found.present)?;
        }
        if !found.subdirs.is_empty() {
            queue.push(Work::Dirs(Arc::clone(&dir), found.subdirs));
        }
        self.files(worker, &dir, open, &found.files)?;
        self.finish_with(dir, &open.to)
    }

    /// Gives a batch of files to any thread, or deals with it here when enough waits already.
    fn share(
        &self,
        worker: &mut Worker,
        queue: &Queue<DirState>,
        (dir, open): (&Dir, &Open),
        files: Names,
    ) -> Result<()> {
        if queue.is_full() {
            return self.files(worker, dir, open, &files);
        }
        Self::postpone(dir);
        queue.push(Work::Files(Arc::clone(dir), files));
        Ok(())
    }

    /// Removes what the destination has and the source has no more.
    fn prune(&self, dir: &Dir, to: BorrowedFd<'_>, present: &HashSet<Key>) -> Result<()> {
        let mut gone = Names::default();
        let listed = list(to, |name, _| {
            if !present.contains(&dir.data.key.of(name)) {
                gone.push(name);
            }
            Ok(())
        });
        listed.map_err(|errno: Errno| Error::write(dir.path(), errno))?;
        gone.iter()
            .try_for_each(|name| self.make_room(dir, to, name))
    }

    /// Removes the entry of a vanished source.
    pub(super) fn vanished(&self, dir: &Dir, name: &CStr) -> Result<()> {
        if dir.data.fresh {
            return Ok(());
        }
        let to = dir
            .open(self.job.dest)
            .map_err(|errno| Error::write(dir.path(), errno))?;
        self.make_room(dir, to.as_fd(), name)
    }

    /// Removes whatever the destination has under `name`, and makes the directory fit for changes.
    pub(super) fn make_room(&self, dir: &Dir, to: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        if dir.data.fresh {
            return Ok(());
        }
        Self::mark("copy.remove", &|| dir.path_of(name))?;
        unlock(to).map_err(|errno| Error::write(dir.path(), errno))?;
        dir.data.dirty.store(true, Ordering::Release);
        remove_entry(to, name, &Quiet(&self.watch), &|| dir.path_of(name))
    }

    /// Opens a directory that is only read; none if it vanished from the source.
    pub(super) fn open(&self, dir: &Dir) -> Result<Option<Open>> {
        let from = match dir.open(self.job.upper) {
            Ok(from) => from,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE) => return Ok(None),
            Err(errno) => return Err(Error::read(dir.path(), errno)),
        };
        let to = OnceCell::new();
        let previous = self.previous.and_then(|tree| dir.open(tree).ok());
        Ok(Some(Open { from, to, previous }))
    }

    /// The copy of an open directory.
    pub(super) fn to<'o>(&self, dir: &Dir, open: &'o Open) -> Result<BorrowedFd<'o>> {
        if let Some(to) = open.to.get() {
            return Ok(to.as_fd());
        }
        let to = dir
            .open(self.job.dest)
            .map_err(|errno| Error::write(dir.path(), errno))?;
        Ok(open.to.get_or_init(|| to).as_fd())
    }

    /// Notes that another piece of work waits for `dir`.
    pub(super) fn postpone(dir: &Dir) {
        dir.data.work.fetch_add(1, Ordering::Relaxed);
    }

    /// One piece of work in `dir` is done. The last seals it, and so on upwards.
    pub(super) fn finish(&self, dir: Dir) -> Result<()> {
        let to = OnceCell::new();
        self.finish_with(dir, &to)
    }

    /// The same for a directory that is open.
    fn finish_with(&self, mut dir: Dir, opened: &OnceCell<OwnedFd>) -> Result<()> {
        let mut opened = opened.get();
        while dir.data.work.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.seal(&dir, opened.take())?;
            let Some(parent) = dir.parent().cloned() else {
                break;
            };
            dir = parent;
        }
        Ok(())
    }

    /// Sets a directory's attributes, its times above all, after the last change below it.
    fn seal(&self, dir: &Dir, opened: Option<&OwnedFd>) -> Result<()> {
        if !dir.data.fresh && !dir.data.dirty.load(Ordering::Acquire) {
            return Ok(());
        }
        let fail = |errno| Error::write(dir.path(), errno);
        Self::mark("copy.seal", &|| dir.path())?;
        let own;
        let to = match opened {
            Some(to) => to,
            None => {
                own = dir.open(self.job.dest).map_err(fail)?;
                &own
            }
        };
        if !dir.data.fresh {
            unlock(to.as_fd()).map_err(fail)?;
            remove_others(to.as_fd(), &dir.data.xattrs).map_err(fail)?;
        }
        apply(to.as_fd(), &dir.data.facts, &dir.data.xattrs, &|| {
            dir.path()
        })
    }

    pub(super) fn known(&self, key: Key, facts: &Facts) -> Known {
        self.known
            .map_or(Known::New, |index| index.lookup(key, facts))
    }
}

fn find(from: OwnedFd) -> Result<Found, Errno> {
    let facts = Facts::of(from.as_fd())?;
    let xattrs = Target::Open(from.as_fd()).read()?;
    Ok(Found {
        from,
        facts,
        xattrs,
    })
}
