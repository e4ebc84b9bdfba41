//! Removing what is in the way, or in the source no more.

use std::collections::HashSet;
use std::ffi::CStr;
use std::sync::atomic::Ordering;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;

use super::{Dir, Mirror};
use crate::attributes::unlock;
use crate::index::Key;
use crate::names::{Names, list};
use crate::progress::Quiet;
use crate::remove::remove_entry;
use crate::{Error, Result};

impl Mirror<'_> {
    /// Removes what the destination has and the source has no more.
    pub(super) fn prune(
        &self,
        dir: &Dir,
        to: BorrowedFd<'_>,
        present: &HashSet<Key>,
    ) -> Result<()> {
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
}
