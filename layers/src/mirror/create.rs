//! New entries: files, links, devices, fifos, sockets, each with all of its attributes.

use std::ffi::CStr;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, makedev, mknodat, openat, symlinkat};
use rustix::io::Errno;

use super::files::{Made, Outcome};
use super::{Dir, Mirror, Open, Worker};
use crate::attributes::{Target, apply, apply_at};
use crate::content::Ends;
use crate::facts::Facts;
use crate::names::open_file;
use crate::{Error, Result, examine, hash};

impl Mirror<'_> {
    /// Copies an entry to a name that is free.
    pub(super) fn create(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        (name, facts): (&CStr, &Facts),
    ) -> Result<Outcome<Made>> {
        Self::mark("copy.create", &|| dir.path_of(name))?;
        if facts.is_file() {
            self.file(worker, dir, open, (name, facts))
        } else {
            self.special(dir, open, (name, facts))
        }
    }

    fn file(
        &self,
        worker: &mut Worker,
        dir: &Dir,
        open: &Open,
        (name, seen): (&CStr, &Facts),
    ) -> Result<Outcome<Made>> {
        let path = || dir.path_of(name);
        let from = match open_file(open.from.as_fd(), name) {
            Ok(from) => from,
            Err(Errno::NOENT) => return Ok(Outcome::Vanished),
            Err(Errno::LOOP | Errno::NXIO | Errno::STALE) => return Ok(Outcome::Replaced),
            Err(errno) => return Err(Error::read(path(), errno)),
        };
        let read = |errno| Error::read(path(), errno);
        let mut facts = Facts::of(from.as_fd()).map_err(read)?;
        if (facts.dev, facts.ino) != (seen.dev, seen.ino) {
            return Ok(Outcome::Replaced);
        }
        let xattrs = Target::Open(from.as_fd()).read().map_err(read)?;
        let to = create_file(self.to(dir, open)?, name, facts.mode)
            .map_err(|errno| Error::write(path(), errno))?;
        let ends = Ends {
            from: from.as_fd(),
            to: to.as_fd(),
            path: &path,
        };
        let content = self.copier().copy(&mut worker.buffer, &ends, &facts)?;
        if !facts.settled || content.size < facts.size {
            self.unsettled();
        }
        facts.size = content.size;
        Self::mark("copy.attributes", &path)?;
        apply(to.as_fd(), &facts, &xattrs, &path)?;
        let hash = hash::entry(&facts, &xattrs, &content.hash.to_le_bytes());
        Ok(Outcome::Done(Made {
            facts,
            hash,
            copied: true,
        }))
    }

    fn special(
        &self,
        dir: &Dir,
        open: &Open,
        (name, facts): (&CStr, &Facts),
    ) -> Result<Outcome<Made>> {
        let path = || dir.path_of(name);
        let (target, xattrs) = match examine::special(open.from.as_fd(), name, facts) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(Outcome::Vanished),
            Err(Errno::INVAL) => return Ok(Outcome::Replaced),
            Err(errno) => return Err(Error::read(path(), errno)),
        };
        let to = self.to(dir, open)?;
        make_special(to, name, facts, &target).map_err(|errno| Error::write(path(), errno))?;
        apply_at(to, name, facts, &xattrs, &path)?;
        let hash = hash::entry(facts, &xattrs, &target);
        Ok(Outcome::Done(Made {
            facts: facts.clone(),
            hash,
            copied: true,
        }))
    }
}

fn create_file(dir: BorrowedFd<'_>, name: &CStr, mode: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Set-id bits come after the owner.
    openat(dir, name, flags, Mode::from_raw_mode(mode & 0o777))
}

fn make_special(
    dir: BorrowedFd<'_>,
    name: &CStr,
    facts: &Facts,
    target: &[u8],
) -> Result<(), Errno> {
    if facts.kind == FileType::Symlink {
        return symlinkat(target, dir, name);
    }
    let device = makedev(facts.rdev.0, facts.rdev.1);
    mknodat(
        dir,
        name,
        facts.kind,
        Mode::from_raw_mode(facts.mode & 0o777),
        device,
    )
}
