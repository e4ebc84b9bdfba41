//! Who uses the directory: a lock that others look at.

use super::DirectoryMedium;
use super::resolve::open_at;
use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::thread::sleep;
use std::time::Duration;

/// Time that a look at a lock takes at most, and how many of them in a row are waited for.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: u32 = 20;

impl DirectoryMedium {
    /// Keeps all others out who ask, until the medium is dropped. A [look](Self::is_locked) that
    /// happens just then is waited for.
    ///
    /// # Errors
    /// `WouldBlock` when someone else has it.
    pub fn lock(&self) -> io::Result<()> {
        let mut looks = LOOKS;
        loop {
            match fs::flock(&self.root, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) if looks > 0 => looks -= 1,
                other => return Ok(other?),
            }
            sleep(LOOK);
        }
    }

    /// Whether anybody has it [locked](Self::lock). For the instant of the look nobody can
    /// lock it, but anybody can look.
    ///
    /// # Errors
    /// Those of flock(2).
    pub fn is_locked(&self) -> io::Result<bool> {
        // Not on the descriptor that may hold a lock of our own: that would be weakened.
        let apart = open_at(self.root(), ".", OFlags::DIRECTORY, Mode::empty())?;
        match fs::flock(&apart, FlockOperation::NonBlockingLockShared) {
            Err(Errno::WOULDBLOCK) => Ok(true),
            other => Ok(other.map(|()| false)?),
        }
    }
}
