//! How a long operation reports and is stopped.

use crate::{Error, Result};

/// The listener of a running operation. Called from several threads, often: keep both cheap.
pub trait Progress: Sync {
    /// `bytes` of file data and `entries` of the tree were dealt with since the last call.
    fn advance(&self, bytes: u64, entries: u64);
    /// Whether the operation shall stop. Asked per entry and per chunk of data.
    fn cancelled(&self) -> bool;
}

/// A listener that hears nothing and never stops the operation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unattended;

impl Progress for Unattended {
    fn advance(&self, _bytes: u64, _entries: u64) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// Fails with [`Error::Cancelled`] once `progress` says so.
pub(crate) fn check(progress: &dyn Progress) -> Result<()> {
    if progress.cancelled() {
        Err(Error::Cancelled)
    } else {
        Ok(())
    }
}

/// Passes on the wish to stop but not the progress.
pub(crate) struct Quiet<'a>(pub &'a dyn Progress);

impl Progress for Quiet<'_> {
    fn advance(&self, _bytes: u64, _entries: u64) {}

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
