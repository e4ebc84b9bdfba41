//! Removing a tree, whatever is in it.
//!
//! The tree is emptied depth first with one descriptor open at a time, going up by `..`: no depth
//! is too deep. Flags that forbid removal are lifted where they are met.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, unlinkat};
use rustix::io::Errno;

use crate::attributes::{lift_flags, open_for_flags};
use crate::facts::Facts;
use crate::names::{Names, list};
use crate::place::open_below;
use crate::progress::check;
use crate::{EntryPath, Error, Progress, Result};

/// Removes the entry `name` of `parent` and all below it. It is no error if there is none.
///
/// Mount points below are left alone, with an error. Interrupted, it can be called again.
///
/// # Errors
/// [`Error::Write`] names the entry that could not be removed; [`Error::Cancelled`].
pub fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr, progress: &dyn Progress) -> Result<()> {
    let name = CString::new(name.as_bytes())
        .map_err(|_| Error::write(EntryPath::new(name.as_bytes()), Errno::INVAL))?;
    remove_entry(parent, &name, progress, &|| EntryPath::new(name.to_bytes()))
}

/// The same for an entry whose path is only spelled out when something fails.
pub(crate) fn remove_entry(
    parent: BorrowedFd<'_>,
    name: &CStr,
    progress: &dyn Progress,
    path: &dyn Fn() -> EntryPath,
) -> Result<()> {
    check(progress)?;
    let fail = |errno| Error::write(path(), errno);
    match unlink(parent, name) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {
            let dir = open_below(parent, name.to_bytes()).map_err(fail)?;
            Clearing {
                progress,
                path,
                levels: Vec::new(),
            }
            .empty(dir)?;
            remove_dir(parent, name).map_err(fail)?;
        }
        Err(error) => return Err(fail(error)),
    }
    progress.advance(0, 1);
    Ok(())
}

struct Clearing<'a> {
    progress: &'a dyn Progress,
    path: &'a dyn Fn() -> EntryPath,
    /// From the top down to the directory worked on.
    levels: Vec<Level>,
}

struct Level {
    /// Name in the level above.
    name: CString,
    /// Subdirectories not removed yet.
    subdirs: Names,
}

impl Clearing<'_> {
    fn empty(mut self, mut dir: OwnedFd) -> Result<()> {
        self.enter(dir.as_fd(), CString::default())?;
        while let Some(level) = self.levels.last_mut() {
            if let Some(name) = level.subdirs.pop() {
                dir = open_below(dir.as_fd(), name.to_bytes())
                    .map_err(|errno| self.fail(&name, errno))?;
                self.enter(dir.as_fd(), name)?;
            } else if self.levels.len() == 1 {
                return Ok(());
            } else {
                dir = self.leave(&dir)?;
            }
        }
        Ok(())
    }

    /// Removes everything in `dir` but its subdirectories, which are noted.
    fn enter(&mut self, dir: BorrowedFd<'_>, name: CString) -> Result<()> {
        lift_flags(dir).map_err(|errno| self.fail(&name, errno))?;
        self.levels.push(Level {
            name,
            subdirs: Names::default(),
        });
        let mut files = Names::default();
        let mut subdirs = Names::default();
        let listed = list(dir, |name, kind| {
            if kind == FileType::Directory {
                subdirs.push(name)
            } else {
                files.push(name)
            }
            Ok::<_, Errno>(())
        });
        listed.map_err(|errno| self.fail(c".", errno))?;
        for name in files.iter() {
            check(self.progress)?;
            unlink(dir, name).map_err(|errno| self.fail(name, errno))?;
            self.progress.advance(0, 1);
        }
        self.levels.last_mut().expect("pushed above").subdirs = subdirs;
        Ok(())
    }

    /// Goes up one level and removes the empty directory left behind.
    fn leave(&mut self, dir: &OwnedFd) -> Result<OwnedFd> {
        let level = self.levels.pop().expect("there is a level to leave");
        let left = Facts::of(dir.as_fd()).map_err(|errno| self.fail(&level.name, errno))?;
        let up = open_up(dir).map_err(|errno| self.fail(&level.name, errno))?;
        let again = Facts::at(up.as_fd(), &level.name).map_err(|e| self.fail(&level.name, e))?;
        if (again.dev, again.ino) != (left.dev, left.ino) {
            // Moved away under our hands: what `..` is now is not ours to touch.
            return Err(self.fail(&level.name, Errno::STALE));
        }
        remove_dir(up.as_fd(), &level.name).map_err(|errno| self.fail(&level.name, errno))?;
        self.progress.advance(0, 1);
        Ok(up)
    }

    fn fail(&self, name: &CStr, errno: Errno) -> Error {
        let mut path = (self.path)();
        for level in self.levels.iter().skip(1) {
            path.push(&level.name);
        }
        path.push(name);
        Error::write(path, errno)
    }
}

fn open_up(dir: &OwnedFd) -> Result<OwnedFd, Errno> {
    use rustix::fs::{Mode, OFlags, openat};
    openat(
        dir,
        c"..",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn remove_dir(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// Unlinks anything but a directory; a flag that forbids it is lifted.
fn unlink(dir: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::PERM) => {
            lift_flags(dir)?;
            let facts = Facts::at(dir, name)?;
            if facts.is_dir() {
                return Err(Errno::ISDIR);
            }
            if facts.is_file() {
                lift_flags(open_for_flags(dir, name)?.as_fd())?;
            }
            unlinkat(dir, name, AtFlags::empty())
        }
        result => result,
    }
}
