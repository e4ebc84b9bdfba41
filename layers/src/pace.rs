//! Keeping what waits in the page cache small while a tree is copied.
//!
//! Left to itself the kernel takes a large part of a copy into memory at once and writes it out at
//! the final sync: progress would show nothing for minutes, cancelling would have to wait as long,
//! and the live system would lose the memory. Whoever fills the measure writes it out instead,
//! while the other threads go on.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::syncfs;
use rustix::io::Errno;

use crate::place::open_below;

/// Bytes that may wait, per thread.
const MEASURE: u64 = 64 << 20;

/// The bytes written to one filesystem that may still be in memory.
pub(crate) struct Pace {
    dest: OwnedFd,
    waiting: AtomicU64,
}

impl Pace {
    /// For the filesystem of `dest`. A failed write is told here and to the caller's final sync.
    pub fn new(dest: BorrowedFd<'_>) -> Result<Self, Errno> {
        Ok(Self {
            dest: open_below(dest, b".")?,
            waiting: AtomicU64::new(0),
        })
    }

    /// Notes `bytes` that went into the page cache, and writes out what waits if it is too much.
    pub fn cached(&self, bytes: u64) -> Result<(), Errno> {
        let waiting = self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let mine = waiting >= MEASURE
            && self
                .waiting
                .compare_exchange(waiting, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine { syncfs(&self.dest) } else { Ok(()) }
    }
}
