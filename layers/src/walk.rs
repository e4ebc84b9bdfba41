//! A parallel walk: a stack of directories and batches of files, and the threads that empty it.
//!
//! The newest work is taken first, which keeps the stack about as deep as the tree and the threads
//! inside one region of the disk. Work is never larger than a directory's list of names.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::names::Names;
use crate::place::Place;
use crate::{Error, Result};

/// Files handed to a thread at once: few enough to share a large directory out.
pub(crate) const BATCH: usize = 32;

/// Pieces of work that may wait before a directory's files are no longer shared out.
const WAITING: usize = 256;

/// Enough stack for a listing buffer and no recursion.
const STACK: usize = 512 * 1024;

/// Names in one directory, to be dealt with by any thread.
#[derive(Debug)]
pub(crate) enum Work<T> {
    /// A directory whose entries are to be found.
    List(Arc<Place<T>>),
    /// The subdirectories with these names.
    Dirs(Arc<Place<T>>, Names),
    /// The other entries with these names.
    Files(Arc<Place<T>>, Names),
}

/// One thing to do next.
pub(crate) enum Step<T> {
    List(Arc<Place<T>>),
    Dir(Arc<Place<T>>, CString),
    Files(Arc<Place<T>>, Names),
}

/// The work that waits and the number of threads that may add to it.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    stopped: AtomicBool,
}

struct State<T> {
    stack: Vec<Work<T>>,
    busy: usize,
    error: Option<Error>,
}

/// Enough to keep a device busy while two or more processors copy; more only wait.
const THREADS: usize = 4;

/// Runs `step` for `first` and all work pushed meanwhile, on several threads, each with a
/// worker of its own. The first error stops all of them.
pub(crate) fn run<T: Send + Sync, W>(
    first: Work<T>,
    worker: impl Fn() -> W + Sync,
    step: impl Fn(&mut W, &Queue<T>, Step<T>) -> Result<()> + Sync,
) -> Result<()> {
    let state = State {
        stack: vec![first],
        busy: 0,
        error: None,
    };
    let queue = Queue {
        state: Mutex::new(state),
        wake: Condvar::new(),
        stopped: AtomicBool::new(false),
    };
    let work = || queue.work(&mut worker(), &step);
    std::thread::scope(|scope| {
        for _ in 1..THREADS {
            let builder = std::thread::Builder::new()
                .name("layers".into())
                .stack_size(STACK);
            // Fewer helpers than wished is slower, not wrong.
            if builder.spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    queue
        .state
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .error
        .map_or(Ok(()), Err)
}

impl<T> Queue<T> {
    /// Adds work for any thread.
    pub fn push(&self, work: Work<T>) {
        self.lock().stack.push(work);
        self.wake.notify_one();
    }

    /// Whether so much waits that whoever finds more work had better do it.
    pub fn is_full(&self) -> bool {
        self.lock().stack.len() > WAITING
    }

    fn work<W>(&self, worker: &mut W, step: &impl Fn(&mut W, &Self, Step<T>) -> Result<()>) {
        while let Some(next) = self.next() {
            let busy = Busy(self);
            if let Err(error) = step(worker, self, next) {
                self.fail(error);
            }
            drop(busy);
        }
    }

    /// The newest work, or none when no more can come.
    fn next(&self) -> Option<Step<T>> {
        let mut state = self.lock();
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(step) = take(&mut state.stack) {
                state.busy += 1;
                return Some(step);
            }
            if state.busy == 0 {
                return None;
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn fail(&self, error: Error) {
        let mut state = self.lock();
        // Threads told to stop because of a failure report that they were cancelled.
        if matches!(state.error, None | Some(Error::Cancelled)) {
            state.error = Some(error);
        }
        self.stop();
    }

    /// To be called with the state locked, or a thread about to wait misses it.
    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one step off the stack and leaves the rest of its work there.
fn take<T>(stack: &mut Vec<Work<T>>) -> Option<Step<T>> {
    loop {
        if let Work::Dirs(place, names) = stack.last_mut()?
            && let Some(name) = names.pop()
        {
            return Some(Step::Dir(Arc::clone(place), name));
        }
        match stack.pop()? {
            Work::List(place) => return Some(Step::List(place)),
            Work::Files(place, names) => return Some(Step::Files(place, names)),
            Work::Dirs(..) => {}
        }
    }
}

/// Counts a thread as busy until dropped, by a panic as well.
struct Busy<'a, T>(&'a Queue<T>);

impl<T> Drop for Busy<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        if std::thread::panicking() {
            self.0.stop();
        }
        if state.busy == 0 {
            // What lies on the stack may turn out to be no work at all.
            self.0.wake.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    /// Every directory has three more below it, to a given depth.
    fn names(depth: u32) -> Names {
        let mut names = Names::default();
        if depth < 7 {
            for name in [c"a", c"b", c"c"] {
                names.push(name);
            }
        }
        names
    }

    fn visit(seen: &AtomicU64, queue: &Queue<u32>, step: Step<u32>) {
        let Step::Dir(parent, name) = step else {
            return;
        };
        seen.fetch_add(1, Ordering::Relaxed);
        let depth = parent.data + 1;
        queue.push(Work::Dirs(Place::below(parent, name, depth), names(depth)));
    }

    #[test]
    fn all_work_is_done_once() {
        let seen = AtomicU64::new(0);
        run(
            Work::Dirs(Place::top(0), names(0)),
            || (),
            |(), queue, step| {
                visit(&seen, queue, step);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(
            seen.into_inner(),
            (1..=7).map(|depth| 3u64.pow(depth)).sum::<u64>()
        );
    }

    #[test]
    fn nobody_waits_for_work_that_is_none() {
        for _ in 0..2000 {
            let top = Place::top(0);
            run(
                Work::Dirs(Arc::clone(&top), names(0)),
                || (),
                |(), queue, _| {
                    queue.push(Work::Dirs(Arc::clone(&top), Names::default()));
                    Ok(())
                },
            )
            .unwrap();
        }
    }

    #[test]
    fn an_error_stops_everybody() {
        let seen = AtomicU64::new(0);
        let result = run(
            Work::Dirs(Place::top(0), names(0)),
            || (),
            |(), queue, step| {
                visit(&seen, queue, step);
                if seen.load(Ordering::Relaxed) > 100 {
                    Err(Error::Cancelled)
                } else {
                    Ok(())
                }
            },
        );
        assert!(matches!(result, Err(Error::Cancelled)));
        assert!(seen.into_inner() < 200);
    }
}
