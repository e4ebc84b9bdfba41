//! Notices when a crowd of calls has left, and gives back the memory it took.
//!
//! Quotas turn most of a crowd away, but each call was a message that had to be read first. Memory
//! of a live system is its user's disk, so a daemon with nothing to do must be small again.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wendy_sys::memory;

/// So many calls at once are a crowd.
const CROWD: usize = 64;

/// The answers are sent by then.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Who is there, and how many have been since nobody was.
#[derive(Debug, Default)]
pub struct Crowd(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    now: usize,
    most: usize,
}

/// One of the crowd, until dropped.
#[derive(Debug)]
pub struct Present(Arc<Mutex<Counts>>);

impl Crowd {
    /// Somebody comes.
    pub fn join(&self) -> Present {
        let mut counts = lock(&self.0);
        counts.now += 1;
        counts.most = counts.most.max(counts.now);
        Present(self.0.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut counts = lock(&self.0);
        counts.now -= 1;
        if counts.now == 0 && std::mem::take(&mut counts.most) >= CROWD {
            tokio::spawn(async {
                tokio::time::sleep(A_MOMENT).await;
                memory::give_back();
            });
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
