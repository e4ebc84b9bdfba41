//! Answers on the processor of who asks.
//!
//! A request and its answer are two wake-ups. The scheduler sends each to a processor that idles, so a
//! program that makes one request after the other, as most do, and the thread that answers it wake
//! each other across processors, and both of these out of their sleep. On one processor they just take
//! turns, which halves the time of a small request; FUSE over `io_uring` does the same
//! (docs.kernel.org/filesystems/fuse-io-uring.html). As soon as somebody else asks, a thread may run
//! anywhere again.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::cell::RefCell;
use std::fs;
use std::time::{Duration, Instant};

/// Requests of one thread in a row before it is followed.
const STREAK: u32 = 8;
/// How long it is taken to be where it was seen.
const STAY: Duration = Duration::from_millis(2);
/// Where `/proc/PID/stat` has the processor, counted behind the name of the program (proc(5)).
const PROCESSOR: usize = 36;

thread_local! {
    static FOLLOWER: RefCell<Follower> = RefCell::new(Follower::new());
}

/// Notes that the thread `asker` has made a request, which this thread is about to answer. The
/// kernel's own have the number 0.
pub fn follow(asker: u32) {
    if asker != 0 {
        FOLLOWER.with_borrow_mut(|follower| follower.asked_by(asker));
    }
}

/// A thread that answers.
#[derive(Debug)]
struct Follower {
    /// Where it may run, by its beginning.
    allowed: Option<CpuSet>,
    asker: u32,
    streak: u32,
    looked: Option<Instant>,
    /// The only processor it runs on, if it follows.
    at: Option<usize>,
}

impl Follower {
    fn new() -> Self {
        Self {
            allowed: sched_getaffinity(None).ok(),
            asker: 0,
            streak: 0,
            looked: None,
            at: None,
        }
    }

    fn asked_by(&mut self, asker: u32) {
        if asker != self.asker {
            self.asker = asker;
            (self.streak, self.looked) = (0, None);
            self.run_at(None);
        }
        self.streak = self.streak.saturating_add(1);
        if self.streak >= STREAK && self.looked.is_none_or(|looked| looked.elapsed() >= STAY) {
            self.looked = Some(Instant::now());
            self.run_at(processor_of(asker));
        }
    }

    /// Runs on this processor only, or anywhere. That this is not possible does no harm.
    fn run_at(&mut self, processor: Option<usize>) {
        let Some(allowed) = self.allowed else {
            return;
        };
        let at = processor.filter(|at| *at < CpuSet::MAX_CPU && allowed.is_set(*at));
        if at == self.at {
            return;
        }
        let set = at.map_or(allowed, |at| {
            let mut only = CpuSet::new();
            only.set(at);
            only
        });
        if sched_setaffinity(None, &set).is_ok() {
            self.at = at;
        }
    }
}

/// The processor a thread runs on or has run on last.
fn processor_of(thread: u32) -> Option<usize> {
    let stat = fs::read_to_string(format!("/proc/{thread}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(PROCESSOR)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> CpuSet {
        sched_getaffinity(None).expect("own affinity")
    }

    fn me() -> u32 {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        tid.try_into().expect("thread numbers are positive")
    }

    #[test]
    fn a_thread_that_asks_again_and_again_is_followed_until_another_asks() {
        let anywhere = here();
        let asker = me();
        std::thread::spawn(move || {
            (1..STREAK).for_each(|_| follow(asker));
            assert_eq!(here(), anywhere, "too early");
            follow(0);
            follow(asker);
            assert_eq!(here().count(), 1);
            follow(0);
            assert_eq!(here().count(), 1, "the kernel's own requests are nobody's");
            follow(1);
            assert_eq!(here(), anywhere);
        })
        .join()
        .expect("the following thread");
    }

    #[test]
    fn the_processor_of_a_thread_is_where_it_may_run() {
        let at = processor_of(me()).expect("own processor");
        assert!(here().is_set(at));
        assert_eq!(processor_of(u32::MAX), None);
    }
}
