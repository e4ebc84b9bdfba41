//! Sealing a directory once everything below it is done.

use std::cell::OnceCell;
use std::sync::atomic::Ordering;

use rustix::fd::{AsFd, OwnedFd};

use super::{Dir, Mirror};
use crate::attributes::{apply, remove_others, unlock};
use crate::{Error, Result};

impl Mirror<'_> {
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
    pub(super) fn finish_with(&self, mut dir: Dir, opened: &OnceCell<OwnedFd>) -> Result<()> {
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
}
