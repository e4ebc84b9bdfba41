//! How a running operation talks to whoever started it.

use wendy_layers::Progress;
use wendy_sys::Cancel;

use super::{Error, Result};
use crate::jobs::{JobHandle, Phase};

/// Told what happens, and asked whether to go on.
pub trait Watch: Progress + std::fmt::Debug {
    /// A new part begins; bytes and entries count from 0 again.
    fn phase(&self, phase: Phase);
    /// How many bytes and entries this part has.
    fn total(&self, bytes: u64, entries: u64);
    /// From here on the operation finishes rather than stops.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it was asked to stop just before.
    fn point_of_no_return(&self) -> Result<()>;
    /// What is done counts, and the operation can be stopped again without losing it.
    fn may_end_here(&self) {}
    /// The switch that stops external tools and long waits.
    fn cancel(&self) -> &Cancel;
}

impl Progress for JobHandle {
    fn advance(&self, bytes: u64, entries: u64) {
        JobHandle::advance(self, bytes, entries);
    }

    fn cancelled(&self) -> bool {
        self.is_cancelled()
    }
}

impl Watch for JobHandle {
    fn phase(&self, phase: Phase) {
        JobHandle::phase(self, phase);
    }

    fn total(&self, bytes: u64, entries: u64) {
        JobHandle::total(self, bytes, entries);
    }

    fn point_of_no_return(&self) -> Result<()> {
        JobHandle::point_of_no_return(self).map_err(|_| Error::Cancelled)
    }

    fn may_end_here(&self) {
        JobHandle::may_end_here(self);
    }

    fn cancel(&self) -> &Cancel {
        self.cancel_flag()
    }
}

/// Nobody watches, and nothing is stopped.
#[derive(Debug, Default)]
pub struct Unwatched(Cancel);

impl Progress for Unwatched {
    fn advance(&self, _bytes: u64, _entries: u64) {}

    fn cancelled(&self) -> bool {
        false
    }
}

impl Watch for Unwatched {
    fn phase(&self, _phase: Phase) {}

    fn total(&self, _bytes: u64, _entries: u64) {}

    fn point_of_no_return(&self) -> Result<()> {
        Ok(())
    }

    fn cancel(&self) -> &Cancel {
        &self.0
    }
}
