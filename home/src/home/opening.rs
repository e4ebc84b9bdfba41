//! Making a home, opening it, setting a damaged one aside.

use super::cut::Cut;
use super::groups::Groups;
use super::loose::Loose;
use super::new_inode;
use super::reconcile::unseen::Unseen;
use super::resume::Uses;
use super::{Home, Ino, Inode, Kind, Medium, Options, Owner, Reconciled, Result, State, Time};
use crate::store::{self, OpenError, Store};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

/// The attributes of the root directory of a new home.
#[must_use]
pub fn new_root() -> Inode {
    new_inode(Kind::Directory, 0o700, (Owner::Me, Owner::Me))
}

/// Makes a home on a medium.
///
/// # Errors
/// Those of the medium.
pub fn create<M: Medium>(medium: &M, home: [u8; 16]) -> io::Result<()> {
    store::create(medium, home, new_root())
}

/// Whether there is a home on `medium`, of whatever format.
pub fn exists<M: Medium>(medium: &M) -> bool {
    medium
        .facts(".wendy/super.0")
        .is_ok_and(|facts| facts.size > 0)
}

/// Renames the files of a damaged store, so that a new one can be made beside them.
///
/// # Errors
/// Those of the medium.
pub fn set_aside<M: Medium>(medium: &M) -> io::Result<()> {
    for name in ["super.0", "super.1", "ckpt.0", "ckpt.1", "log.0", "log.1"] {
        let path = format!(".wendy/{name}");
        if medium.facts(&path).is_err() {
            continue;
        }
        let candidates = (0..1000u32).map(|number| format!("{path}.damaged{number}"));
        let mut free = candidates.filter(|to| medium.facts(to).is_err());
        medium.rename(&path, &free.next().ok_or(io::ErrorKind::AlreadyExists)?)?;
    }
    medium.sync_all()
}

impl<M: Medium> Home<M> {
    /// Opens the home on `medium` and adopts what strangers changed.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(medium: M, options: Options) -> std::result::Result<(Self, Reconciled), OpenError> {
        let (home, _) = Self::read_back(Arc::new(medium), options)?;
        let reconciled = home.take_over()?;
        Ok((home, reconciled))
    }

    /// Opens the home on `medium` without looking at more than its metadata, if the last use ended
    /// in order. What strangers changed is adopted when something there is first used.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_lazily(medium: M, options: Options) -> std::result::Result<Self, OpenError> {
        let (home, clean) = Self::read_back(Arc::new(medium), options)?;
        if clean && !home.has_remains() {
            home.look_later();
        } else {
            home.take_over()?;
        }
        Ok(home)
    }

    /// Brings everything to what the medium holds. What was unlinked while open goes only then: what
    /// an interrupted use wrote to it last is no stranger's.
    pub(super) fn take_over(&self) -> io::Result<Reconciled> {
        let reconciled = self.reconcile()?;
        self.drop_nameless()?;
        Ok(reconciled)
    }

    /// A home whose table is as last recorded, and whether the last use ended in order.
    pub(super) fn read_back(
        medium: Arc<M>,
        options: Options,
    ) -> std::result::Result<(Self, bool), OpenError> {
        let opened = Store::open(&*medium, &new_root())?;
        if opened.fell_back {
            tracing::warn!("the newest metadata is damaged: the copy before it serves");
        }
        let groups = Groups::of(&opened.table, options.groups);
        let mut state = State {
            medium: Arc::clone(&medium),
            table: opened.table,
            store: opened.store,
            files: HashMap::new(),
            readers: HashMap::new(),
            dirty: BTreeSet::new(),
            mapped: HashSet::new(),
            in_sync: Vec::new(),
            held: HashMap::new(),
            forgotten: Vec::new(),
            loose: Loose::default(),
            unwritten: false,
            written: false,
            lost: false,
            cut: Cut::default(),
            vacated: HashSet::new(),
            stuck: HashSet::new(),
            unseen: Unseen::Everything,
            groups,
            failed: false,
            changes: 0,
            uses: Uses::default(),
        };
        let found = state.store.superblock().clone();
        state.store.begin_use(options.host)?;
        if !found.clean {
            state.keep_what_was_read()?;
        }
        state.uses = Uses::new(state.store.superblock());
        let home = |state| Self {
            medium,
            options,
            syncing: Mutex::new(()),
            moving: RwLock::new(()),
            state: Mutex::new(state),
            returns: AtomicU64::new(0),
        };
        let home = home(state);
        home.state()
            .forget_lost(Time::now().seconds)
            .map_err(io::Error::from)?;
        Ok((home, found.clean))
    }

    /// Whether anything is still to be removed. What only waits for its place can be looked at where
    /// it waits, and in a directory that takes no more names it waits for ever.
    fn has_remains(&self) -> bool {
        let state = self.state();
        let table = &state.table;
        table.garbage().chain(table.nameless()).next().is_some()
    }

    /// Drops inodes nobody can reach any more: they were unlinked while open.
    pub(super) fn drop_nameless(&self) -> Result<()> {
        let mut state = self.state();
        let nameless: Vec<Ino> = state.table.nameless().collect();
        nameless
            .into_iter()
            .try_for_each(|ino| state.drop_if_unused(ino))
    }
}

impl<M: Medium> State<M> {
    /// What was read back of a use that broke off may be in the kernel's memory only, if just a process has
    /// died: in the log perhaps never to be written again, as a sync of it may have failed.
    fn keep_what_was_read(&mut self) -> io::Result<()> {
        self.medium.sync_all()?;
        match self.store.checkpoint(&self.table, false) {
            // The medium is so full that there never was room for one.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
            other => other,
        }
    }
}
