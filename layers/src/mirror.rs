//! Making one tree like another.
//!
//! One engine serves three uses, which differ in where an unchanged entry comes from: a first copy
//! (nowhere), a new generation (a hard link to the previous one) and a second pass over a copy
//! (it is there already). Whatever else is in the way is removed first; nothing is overwritten.

mod create;
mod dir;
mod files;
mod linked;
mod listing;
mod prune;
mod seal;

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;

use crate::content::{Buffer, Copier};
use crate::exclude::Extent;
use crate::index::{Builder, Index};
use crate::links::Links;
use crate::manifest::{self, Records};
use crate::pace::Pace;
use crate::place::Place;
use crate::progress::check;
use crate::totals::Counter;
use crate::walk::{self, Queue, Step, Work};
use crate::{EntryPath, Error, Exclude, Progress, Result, Totals, silent};

use dir::DirState;

/// What to copy where.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The upper directory.
    pub upper: BorrowedFd<'a>,
    /// The directory that becomes its copy, attributes of the top included.
    pub dest: BorrowedFd<'a>,
    /// What stays behind.
    pub exclude: &'a Exclude,
    /// Hears of every chunk and entry, and may stop the job.
    pub progress: &'a dyn Progress,
    /// Receives what was written, if wanted. Only the last pass over a copy needs one.
    pub manifest: Option<&'a manifest::Writer>,
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("upper", &self.upper)
            .field("dest", &self.dest)
            .finish()
    }
}

/// An older copy of the same upper, on the same filesystem as the destination.
#[derive(Debug, Clone, Copy)]
pub struct Previous<'a> {
    /// The top of the older copy. It is only ever read and linked from.
    pub tree: BorrowedFd<'a>,
    /// What the upper looked like then.
    pub index: &'a Index,
}

/// What a pass did.
#[derive(Debug)]
pub struct Copied {
    /// What the upper looked like; for [`refresh`], [`Previous`] and [`crate::forecast`].
    pub index: Index,
    /// What the copy now holds.
    pub totals: Totals,
    /// What this pass wrote of it.
    pub written: Totals,
    /// How many files changed while they were copied.
    pub unsettled_count: u64,
}

/// Copies the upper into an empty destination. Files that have not changed since `previous` was
/// made become hard links to its files; what is missing there, or is no longer as it was
/// left, is copied.
///
/// # Errors
/// The first failure, naming its entry; the destination is then incomplete and fit for
/// [`crate::remove_tree`]. A source that changes or vanishes meanwhile is no failure.
pub fn copy(job: &Job<'_>, previous: Option<Previous<'_>>) -> Result<Copied> {
    let known = previous.map(|previous| previous.index);
    let tree = previous.map(|previous| previous.tree);
    Mirror {
        previous: tree,
        fresh: true,
        ..Mirror::new(job, known)?
    }
    .run()
}

/// Brings the copy in the destination, made when the upper looked as `index` says, up to the
/// upper's present state. A file that changed becomes a new file: its old inode, which an older
/// generation may share, stays as it is.
///
/// The destination is taken to be what that copy made it: where nothing has changed it is not
/// looked at.
///
/// # Errors
/// As [`copy`].
pub fn refresh(job: &Job<'_>, index: &Index) -> Result<Copied> {
    Mirror::new(job, Some(index))?.run()
}

struct Mirror<'a> {
    job: &'a Job<'a>,
    /// What the upper looked like when the destination or `previous` was made.
    known: Option<&'a Index>,
    previous: Option<BorrowedFd<'a>>,
    /// Whether the destination is empty.
    fresh: bool,
    extent: Extent<'a>,
    watch: Watch<'a>,
    clones: AtomicBool,
    pace: Pace,
    index: Builder,
    links: Links<DirState>,
    total: Counter,
    written: Counter,
    /// Files that changed while they were copied.
    unsettled: AtomicU64,
}

/// The descriptors of one directory while it is worked on. A copy in which nothing has changed
/// need not even be opened.
struct Open {
    from: OwnedFd,
    to: OnceCell<OwnedFd>,
    previous: Option<OwnedFd>,
}

/// What each thread keeps for itself.
struct Worker {
    buffer: Buffer,
    records: Records,
}

type Dir = std::sync::Arc<Place<DirState>>;

impl<'a> Mirror<'a> {
    fn new(job: &'a Job<'a>, known: Option<&'a Index>) -> Result<Self> {
        let top = || EntryPath::new("");
        let pace = Pace::new(job.dest).map_err(|e| Error::write(top(), e))?;
        let noticed_after = silent::noticed_after(job.upper).map_err(|e| Error::read(top(), e))?;
        Ok(Self {
            job,
            known,
            previous: None,
            fresh: false,
            extent: Extent::new(job.exclude, known),
            watch: Watch {
                progress: job.progress,
                failed: AtomicBool::new(false),
            },
            clones: AtomicBool::new(true),
            pace,
            index: Builder::new(known, job.exclude).noticing_after(noticed_after),
            links: Links::new(),
            total: Counter::default(),
            written: Counter::default(),
            unsettled: AtomicU64::new(0),
        })
    }

    fn run(self) -> Result<Copied> {
        let worker = || Worker {
            buffer: Buffer::new(),
            records: Records::default(),
        };
        walk::run(Work::List(self.top()?), worker, |worker, queue, step| {
            let done = self.step(worker, queue, step);
            if done.is_err() {
                self.watch.failed.store(true, Ordering::Relaxed);
            }
            done
        })?;
        Ok(Copied {
            index: self.index.finish(),
            totals: self.total.totals(),
            written: self.written.totals(),
            unsettled_count: self.unsettled.into_inner(),
        })
    }

    fn step(
        &self,
        worker: &mut Worker,
        queue: &Queue<DirState>,
        step: Step<DirState>,
    ) -> Result<()> {
        check(&self.watch)?;
        match step {
            Step::List(dir) => self.list(worker, queue, dir),
            Step::Dir(parent, name) => self.descend(worker, queue, parent, name),
            Step::Files(dir, names) => self.batch(worker, dir, &names),
        }
    }

    fn copier(&self) -> Copier<'_> {
        Copier {
            progress: &self.watch,
            clones: &self.clones,
            pace: &self.pace,
        }
    }

    /// Marks a boundary at which a test can make the machine fail.
    fn mark(name: &'static str, path: &dyn Fn() -> EntryPath) -> Result<()> {
        wendy_sys::step(name)
            .map_err(|error| Error::write(path(), error.errno().unwrap_or(Errno::IO)))
    }

    /// Notes a file that changed while it was copied.
    fn unsettled(&self) {
        self.unsettled.fetch_add(1, Ordering::Relaxed);
    }
}

/// The caller's listener, which also stops all threads when one has failed.
struct Watch<'a> {
    progress: &'a dyn Progress,
    failed: AtomicBool,
}

impl Progress for Watch<'_> {
    fn advance(&self, bytes: u64, entries: u64) {
        self.progress.advance(bytes, entries);
    }

    fn cancelled(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.progress.cancelled()
    }
}
