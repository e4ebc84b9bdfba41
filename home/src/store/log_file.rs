//! A file with a log, and whether it can still be made durable.

use crate::medium::MediumFile;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// When a sync fails, the kernel takes what it has not written for written, and the next sync does not
/// try again (fsync(2)). No reader gets past such a gap: what is appended behind it cannot become
/// durable, until the log begins anew.
#[derive(Debug)]
pub(super) struct LogFile<F> {
    pub(super) file: F,
    /// Held while it is synced: of several who wait, the kernel tells only one that it failed.
    has_gap: Mutex<bool>,
}

impl<F: MediumFile> LogFile<F> {
    pub(super) fn new(file: F) -> Self {
        Self {
            file,
            has_gap: Mutex::new(false),
        }
    }

    /// Makes durable what was appended.
    ///
    /// # Errors
    /// Those of fdatasync(2), again and again from the first one on.
    pub(super) fn sync(&self) -> io::Result<()> {
        let mut has_gap = self.has_gap();
        if *has_gap {
            return Err(rustix::io::Errno::IO.into());
        }
        let synced = self.file.sync_data();
        *has_gap = synced.is_err();
        synced
    }

    /// Whether something is missing that was appended.
    pub(super) fn is_broken(&self) -> bool {
        *self.has_gap()
    }

    /// Nothing in it is needed any more: it is written from its beginning.
    pub(super) fn begin_anew(&self) {
        *self.has_gap() = false;
    }

    fn has_gap(&self) -> MutexGuard<'_, bool> {
        self.has_gap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
