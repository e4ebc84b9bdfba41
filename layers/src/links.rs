//! Hard links: which inodes of the source were met, and where their copies are.
//!
//! The first thread to meet an inode copies it; others that meet it meanwhile leave their name
//! with it and go on. An inode is forgotten once all its names were met.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::facts::Facts;
use crate::place::Place;

/// An inode of the source.
type Inode = ((u32, u32), u64);

/// A name in the destination.
pub(crate) struct Name<T> {
    pub dir: Arc<Place<T>>,
    pub name: CString,
}

/// Where an inode's copy is and what it holds.
pub(crate) struct Copy<T> {
    pub at: Name<T>,
    /// Inode number in the destination.
    pub ino: u64,
    pub facts: Facts,
    pub hash: u64,
}

/// What to do about a name of an inode.
pub(crate) enum Claim<T> {
    /// Nobody has copied it: do, then [`Links::settle`] or [`Links::abandon`].
    First,
    /// It is there: link to it.
    Copied(Arc<Copy<T>>),
    /// Somebody is copying it and will link this name afterwards.
    Waiting,
}

enum State<T> {
    Copying(Vec<Name<T>>),
    Copied(Arc<Copy<T>>),
}

struct Group<T> {
    /// Names not met yet.
    missing: u32,
    state: State<T>,
}

/// All inodes with several names.
pub(crate) struct Links<T>(Mutex<HashMap<Inode, Group<T>>>);

impl<T> Links<T> {
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    /// Meets the inode of `facts` under the name that `name` makes.
    pub fn claim(&self, facts: &Facts, name: impl FnOnce() -> Name<T>) -> Claim<T> {
        let mut groups = self.lock();
        let inode = (facts.dev, facts.ino);
        let Some(group) = groups.get_mut(&inode) else {
            let state = State::Copying(Vec::new());
            groups.insert(
                inode,
                Group {
                    missing: facts.nlink - 1,
                    state,
                },
            );
            return Claim::First;
        };
        group.missing = group.missing.saturating_sub(1);
        match &mut group.state {
            State::Copying(waiting) => {
                waiting.push(name());
                Claim::Waiting
            }
            State::Copied(copy) => {
                let copy = Arc::clone(copy);
                if group.missing == 0 {
                    groups.remove(&inode);
                }
                Claim::Copied(copy)
            }
        }
    }

    /// Tells where the inode's copy is. Returns the names that waited for it.
    pub fn settle(&self, inode: &Facts, copy: Arc<Copy<T>>) -> Vec<Name<T>> {
        let mut groups = self.lock();
        let inode = (inode.dev, inode.ino);
        let Some(group) = groups.get_mut(&inode) else {
            return Vec::new();
        };
        let before = std::mem::replace(&mut group.state, State::Copied(copy));
        if group.missing == 0 {
            groups.remove(&inode);
        }
        match before {
            State::Copying(waiting) => waiting,
            State::Copied(_) => Vec::new(),
        }
    }

    /// Forgets an inode whose first name vanished. Returns the names that waited for its copy.
    pub fn abandon(&self, inode: &Facts) -> Vec<Name<T>> {
        match self
            .lock()
            .remove(&(inode.dev, inode.ino))
            .map(|group| group.state)
        {
            Some(State::Copying(waiting)) => waiting,
            _ => Vec::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Inode, Group<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
