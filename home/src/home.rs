//! The home: POSIX operations on table, store and medium.
//!
//! # Order of writes
//!
//! * What creates (a lower file, a part) happens on the medium first and is recorded after: a crash
//!   between leaves a file that is adopted.
//! * What destroys (deleting, replacing, renaming a lower) is recorded first and happens on the
//!   medium later, by settling (`settle`), when the record is durable: a crash between leaves a file
//!   that is known to be garbage or out of place. So a lower that is gone without a record was
//!   removed by a stranger.
//! * A place on the medium is used again only when the log durably says that it was left.
//! * A file replaced by a rename stays on the medium until the new one's content, the names that lead
//!   to it and the record are durable: the first two before the record is written.
//! * That a file became shorter is durable before anything is promised that may have got its space.
//! * fsync returns when the content, the lower's name and all records so far are durable.
//! * Without it the records are so with the next regular commit, and the names and contents they tell of
//!   when those have been written back, which begins at the same time and may take longer.
//!
//! # Locks
//!
//! `syncing` before `moving` before `state`. `state` is held for memory-speed work only, apart from creating and
//! settling lower objects; file content and checkpoints move without it.

use crate::ids::{Ino, Owner, Time};
use crate::medium::{Facts, Medium, Space};
use crate::parts::SplitFile;
use crate::record::{Inode, Kind, Place, Print, Record, Times};
use crate::store::Store;
use crate::table::Table;
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

mod attributes;
mod batch;
mod content;
mod cut;
mod direct;
mod durability;
mod groups;
mod lengths;
mod loose;
mod making;
mod namespace;
mod opening;
mod readers;
mod reading;
pub mod reconcile;
mod renaming;
mod resume;
mod settle;
mod walk;

pub use attributes::{Attributes, Change, SetXattr};
pub use content::OpenedFile;
pub use groups::GroupNames;
pub use making::NewNode;
pub use namespace::Listing;
pub use opening::{create, exists, new_root, set_aside};
pub use reading::Line;
pub use reconcile::Reconciled;
pub use renaming::RenameMode;
pub use resume::Stale;
pub use walk::Visited;

use cut::Cut;
use groups::Groups;
use loose::Loose;
use reconcile::unseen::Unseen;
use resume::Uses;

/// Result of an operation, failing like the system call of the same name.
pub type Result<T> = std::result::Result<T, Errno>;

/// Whose home it is here, and how it behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// User shown for [`Owner::Me`].
    pub uid: u32,
    /// Group shown for [`Owner::Me`].
    pub gid: u32,
    /// Permission bits of files that appear from outside.
    pub adopted_file_mode: u16,
    /// Permission bits of directories that appear from outside.
    pub adopted_dir_mode: u16,
    /// The groups of this machine.
    pub groups: GroupNames,
    /// Identity of this machine, noted on the medium: who looks at a home is told whether it was used
    /// here last, and one that was used elsewhere while it was away is not gone on with.
    pub host: [u8; 16],
}

impl Options {
    /// The usual behaviour for a user and group.
    #[must_use]
    pub fn new(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            gid,
            adopted_file_mode: 0o600,
            adopted_dir_mode: 0o700,
            groups: GroupNames::default(),
            host: [0; 16],
        }
    }
}

/// An open home; see the [module](self).
#[derive(Debug)]
pub struct Home<M: Medium> {
    medium: Arc<M>,
    options: Options,
    /// Held while anything is being made durable.
    syncing: Mutex<()>,
    /// Held for writing while lower objects move, for reading while content is being synced.
    moving: RwLock<()>,
    state: Mutex<State<M>>,
    /// How often the medium was away.
    returns: AtomicU64,
}

#[derive(Debug)]
struct State<M: Medium> {
    medium: Arc<M>,
    table: Table,
    store: Store<M>,
    files: HashMap<Ino, OpenFile<M>>,
    /// Uses of files that are none of these, because nobody has read them yet.
    readers: HashMap<Ino, u32>,
    /// Files whose content may not be durable.
    dirty: BTreeSet<Ino>,
    /// Files that were open in a way that lets the kernel map the lower for writing. A mapping outlives
    /// what was open, and what is stored through it nobody is told.
    mapped: HashSet<Ino>,
    /// Files whose content is being synced, once for everybody who does.
    in_sync: Vec<Ino>,
    /// References of the kernel to inodes.
    held: HashMap<Ino, u64>,
    /// Inodes that may have become unused when the kernel forgot them; dropped with the next change.
    forgotten: Vec<Ino>,
    loose: Loose,
    /// Whether any of these has come, or content, since all was written back last.
    unwritten: bool,
    /// Whether the medium was given something that no flush has followed.
    written: bool,
    /// Whether writing back has failed and nobody has been told: the kernel does not say so again.
    lost: bool,
    cut: Cut<M::File>,
    /// Places left by settling while the log does not durably say so. Nothing may move in: after a
    /// crash it would be taken for what was there before.
    vacated: HashSet<Place>,
    /// Objects the medium would not rename or remove; left alone until the next use.
    stuck: HashSet<Ino>,
    unseen: Unseen,
    groups: Groups,
    /// Set when memory and log have parted: nothing is changed any more.
    failed: bool,
    /// Number of operations that changed something, to notice idleness.
    changes: u64,
    uses: Uses,
}

#[derive(Debug)]
struct OpenFile<M: Medium> {
    file: Arc<SplitFile<M::File>>,
    opens: u32,
    /// Size and times not recorded yet.
    touched: bool,
    /// Whether the kernel reads the lower file by itself, so its length must be true.
    exact: bool,
    /// Whether the kernel may write the lower file by itself, at least through a mapping.
    unseen: bool,
    /// How the lower file looked when it was made, until it may be written.
    fresh: Option<Facts>,
    /// How the lower file looked when last asked, and when that was, if the kernel alone writes it.
    direct: Option<(Facts, Time)>,
}

impl<M: Medium> OpenFile<M> {
    fn new(file: Arc<SplitFile<M::File>>) -> Self {
        Self {
            file,
            opens: 1,
            touched: false,
            exact: false,
            unseen: false,
            fresh: None,
            direct: None,
        }
    }
}

impl<M: Medium> Home<M> {
    /// How full the medium is; what removed files still take counts as free.
    ///
    /// # Errors
    /// Those of statfs(2).
    pub fn space(&self) -> Result<Space> {
        let space = self.medium.space().map_err(errno)?;
        let state = self.state();
        let garbage = state.table.garbage();
        let soon = state.forgotten.iter().copied();
        let soon = soon.filter(|ino| state.is_unused(*ino));
        let held: u64 = garbage
            .chain(soon)
            .filter_map(|ino| state.table.lower(ino))
            .map(|lower| lower.print.size)
            .sum();
        Ok(Space {
            free: space.free.saturating_add(held).min(space.size),
            ..space
        })
    }

    /// Runs an operation that takes space; on a full medium once more after removing garbage.
    fn with_space<T>(&self, operation: impl Fn() -> Result<T>) -> Result<T> {
        match operation() {
            Err(Errno::NOSPC) if !self.is_settled() => {
                self.settle()?;
                operation()
            }
            other => other,
        }
    }

    /// Whose home it is here, and how it behaves.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Number of inodes.
    #[must_use]
    pub fn inode_count(&self) -> usize {
        self.state().table.len()
    }

    /// Whether a record or a change of the medium is still to be written by [`Home::settle`].
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let state = self.state();
        let mut unsettled = state.table.unsettled();
        state.forgotten.is_empty() && unsettled.all(|ino| state.stuck.contains(&ino))
    }

    /// Runs `look` on the table, for tools and tests.
    pub fn with_table<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.state().table)
    }

    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(|poisoned| {
            // A panicked operation may have changed the table without logging it.
            let mut state = PoisonError::into_inner(poisoned);
            state.failed = true;
            state
        })
    }
}

fn new_inode(kind: Kind, mode: u16, (owner, group): (Owner, Owner)) -> Inode {
    let now = Time::now();
    let times = Times {
        accessed: now,
        modified: now,
        changed: now,
        born: now,
    };
    Inode {
        kind,
        mode,
        owner,
        group,
        device: 0,
        size: 0,
        times,
        target: Vec::new(),
    }
}

fn print(facts: &Facts) -> Print {
    Print {
        size: facts.size,
        modified: facts.modified,
        born: facts.born,
    }
}

fn errno(error: io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Errno::FBIG,
        io::ErrorKind::StorageFull => Errno::NOSPC,
        _ => Errno::from_io_error(&error).unwrap_or(Errno::IO),
    }
}

/// A record that repeats the present attributes of `ino`.
fn inode_record(table: &Table, ino: Ino) -> Result<Record> {
    Ok(Record::Inode(
        ino,
        table.inode(ino).ok_or(Errno::NOENT)?.clone(),
    ))
}

#[cfg(test)]
mod tests;
