//! Directories: entering and listing.

use std::cell::OnceCell;
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, mkdirat};
use rustix::io::Errno;

use super::listing::{Listing, Stop};
use super::{Dir, Mirror, Open, Worker};
use crate::attributes::{Target, Xattrs, unlock};
use crate::facts::Facts;
use crate::index::{Key, Known};
use crate::names::{Names, list};
use crate::place::{Place, open_below};
use crate::walk::{BATCH, Queue, Work};
use crate::{EntryPath, Error, Result, hash};

/// What is remembered about a directory from its first entry to its last.
pub(super) struct DirState {
    pub key: Key,
    /// Its number in the manifest.
    pub number: u32,
    pub facts: Facts,
    pub xattrs: Xattrs,
    /// Whether this pass made it, so that it holds nothing yet.
    pub fresh: bool,
    /// Whether the copy has no name that the source has not.
    pruned: bool,
    /// Whether its attributes have to be set, because they differ or an entry was changed.
    pub dirty: AtomicBool,
    /// Pieces of work not done yet; the directory is sealed with the last.
    pub work: AtomicUsize,
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
