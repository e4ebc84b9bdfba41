//! Only so many machines at once: an emulated one keeps a processor busy.

use std::sync::{Condvar, Mutex, PoisonError};

const MACHINES: usize = 2;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ONE_LESS: Condvar = Condvar::new();

/// The right to run one machine, for as long as it is held.
#[derive(Debug)]
pub(super) struct Slot(());

impl Slot {
    /// Waits for its turn.
    pub(super) fn take() -> Slot {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = ONE_LESS
            .wait_while(running, |running| *running >= MACHINES)
            .unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Slot(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ONE_LESS.notify_one();
    }
}
