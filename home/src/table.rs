//! The table: the whole tree of the home in memory.
//!
//! Inodes, names, extended attributes and the place of each lower object. The table changes by
//! [records](Record) only, through one function for live changes and for replay, and it checks each
//! of them: a record from a hostile medium that would make a second parent, a loop, a dangling name
//! or a place outside the home is refused and changes nothing.
//!
//! A directory or file has a *lower* at its *actual* place. The *wanted* place follows from its
//! first name. Where the two differ the object is *misplaced*; a lower without inode is *garbage*;
//! both are *unsettled*.

use crate::ids::Ino;
use crate::names;
use crate::record::{Inode, Kind, Lower, Place, Record};
use lost::Lost;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

mod apply;
pub mod lost;
pub mod lowers;
mod naming;
mod snapshot;

/// Deepest nesting followed; a path of `PATH_MAX` bytes has at most 2048 components.
const DEPTH_MAX: usize = 65_536;
/// Groups there can be names of: each one costs a question, maybe over a network, when a home is opened.
pub const GROUPS_MAX: usize = 4096;

/// A record that does not fit the table it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The inode it speaks of does not exist.
    #[error("metadata speaks of inode {0:?}, which does not exist")]
    NoInode(Ino),
    /// The inode exists already as something else, or is one that never changes.
    #[error("metadata changes what inode {0:?} is")]
    WrongKind(Ino),
    /// The name is impossible, exists already or does not exist.
    #[error("metadata has an impossible name in directory {0:?}")]
    Name(Ino),
    /// A directory would get a second parent or stand inside itself.
    #[error("metadata gives directory {0:?} a second parent")]
    Tree(Ino),
    /// A lower place is impossible or taken.
    #[error("metadata has an impossible place for inode {0:?}")]
    Place(Ino),
    /// An inode is removed while it still has names.
    #[error("metadata removes inode {0:?}, which is in use")]
    InUse(Ino),
    /// It names more than [`GROUPS_MAX`] groups.
    #[error("metadata names more than {GROUPS_MAX} groups")]
    Groups,
}

/// What a name in a directory leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The inode.
    pub ino: Ino,
    /// Lower name when it is not the plain encoding of the name.
    pub alias: Option<String>,
    /// Its place in the order in which the directory is read; never given twice in one use.
    pub cookie: u64,
}

/// One of the names of an inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRef {
    /// The directory it stands in.
    pub dir: Ino,
    /// The name.
    pub name: Vec<u8>,
}

/// Extended attributes by name.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// A name shared by the two orders of a directory.
pub type Name = Arc<[u8]>;

/// Cookies below are those of `.` and `..`.
const COOKIE_MIN: u64 = 3;

#[derive(Debug)]
struct Node {
    inode: Inode,
    names: Vec<NameRef>,
    xattrs: Xattrs,
}

#[derive(Debug, Default)]
struct Directory {
    entries: BTreeMap<Name, Entry>,
    /// The names by their cookies, so that reading can go on wherever it stopped.
    order: BTreeMap<u64, Name>,
    last_cookie: u64,
    /// Folds of the lower names of all entries.
    claimed: HashSet<String>,
    subdirectories: u32,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Table {
    nodes: HashMap<Ino, Node>,
    directories: HashMap<Ino, Directory>,
    lowers: HashMap<Ino, Lower>,
    /// Folded actual places.
    occupied: HashMap<Place, Ino>,
    misplaced: BTreeSet<Ino>,
    garbage: BTreeSet<Ino>,
    lost: BTreeMap<Ino, Lost>,
    /// Where each lost inode was; the last of several at one path.
    lost_paths: HashMap<Vec<u8>, Ino>,
    /// Names of groups by the number inodes know them by.
    groups: BTreeMap<u32, String>,
    next: Ino,
}

impl Table {
    /// An empty home whose root directory is `root`.
    #[must_use]
    pub fn new(root: Inode) -> Self {
        let node = Node {
            inode: root,
            names: Vec::new(),
            xattrs: Xattrs::new(),
        };
        Self {
            nodes: HashMap::from([(Ino::ROOT, node)]),
            directories: HashMap::from([(Ino::ROOT, Directory::default())]),
            lowers: HashMap::new(),
            occupied: HashMap::new(),
            misplaced: BTreeSet::new(),
            garbage: BTreeSet::new(),
            lost: BTreeMap::new(),
            lost_paths: HashMap::new(),
            groups: BTreeMap::new(),
            next: Ino::FIRST,
        }
    }

    /// The attributes of `ino`.
    #[must_use]
    pub fn inode(&self, ino: Ino) -> Option<&Inode> {
        self.nodes.get(&ino).map(|node| &node.inode)
    }

    /// The attributes of `ino`, to change ahead of the record that will repeat them.
    pub fn inode_mut(&mut self, ino: Ino) -> Option<&mut Inode> {
        self.nodes.get_mut(&ino).map(|node| &mut node.inode)
    }

    /// Number of inodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing but the root exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// All inode numbers in use, in no order.
    pub fn inodes(&self) -> impl Iterator<Item = Ino> {
        self.nodes.keys().copied()
    }

    /// Inodes without names, in no order: they were unlinked while open.
    pub fn nameless(&self) -> impl Iterator<Item = Ino> {
        let nameless = |(ino, node): (&Ino, &Node)| {
            (*ino != Ino::ROOT && node.names.is_empty()).then_some(*ino)
        };
        self.nodes.iter().filter_map(nameless)
    }

    /// `st_nlink`: names of a file; for a directory its own, `.` and the `..` of each below.
    #[must_use]
    pub fn links(&self, ino: Ino) -> u32 {
        let names = u32::try_from(self.names(ino).len()).unwrap_or(u32::MAX);
        match self.directories.get(&ino) {
            Some(directory) if ino == Ino::ROOT || names > 0 => 2 + directory.subdirectories,
            Some(_) => 0,
            None => names,
        }
    }

    /// The names of `ino`, the one that decides its place first.
    #[must_use]
    pub fn names(&self, ino: Ino) -> &[NameRef] {
        self.nodes.get(&ino).map_or(&[], |node| &node.names)
    }

    /// The extended attributes of `ino`.
    #[must_use]
    pub fn xattrs(&self, ino: Ino) -> Option<&Xattrs> {
        self.nodes.get(&ino).map(|node| &node.xattrs)
    }

    /// What `name` in `dir` leads to.
    #[must_use]
    pub fn entry(&self, dir: Ino, name: &[u8]) -> Option<&Entry> {
        self.directories.get(&dir)?.entries.get(name)
    }

    /// All entries of `dir` in order of their names; `None` if it is no directory.
    #[must_use]
    pub fn entries(&self, dir: Ino) -> Option<&BTreeMap<Name, Entry>> {
        self.directories
            .get(&dir)
            .map(|directory| &directory.entries)
    }

    /// The entry of `dir` that is read after the one with the cookie `after`.
    #[must_use]
    pub fn entry_after(&self, dir: Ino, after: u64) -> Option<(Name, &Entry)> {
        let directory = self.directories.get(&dir)?;
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        let (_, name) = directory.order.range(behind).next()?;
        Some((Name::clone(name), directory.entries.get(name)?))
    }

    /// The directory above `dir`; the root is above itself.
    #[must_use]
    pub fn parent(&self, dir: Ino) -> Ino {
        self.names(dir).first().map_or(Ino::ROOT, |name| name.dir)
    }

    /// Whether `ino` is `above` or below it.
    #[must_use]
    pub fn is_within(&self, ino: Ino, above: Ino) -> bool {
        let mut at = ino;
        for _ in 0..DEPTH_MAX {
            if at == above {
                return true;
            }
            match self.names(at).first() {
                Some(name) => at = name.dir,
                None => return false,
            }
        }
        true
    }

    /// Number of directories above `dir`.
    #[must_use]
    pub fn depth(&self, dir: Ino) -> usize {
        let above = |at: &Ino| self.names(*at).first().map(|name| name.dir);
        std::iter::successors(above(&dir), above)
            .take(DEPTH_MAX)
            .count()
    }

    /// The number the next new inode gets.
    #[must_use]
    pub fn next_ino(&self) -> Ino {
        self.next
    }

    /// Names of groups by the number inodes know them by.
    #[must_use]
    pub fn groups(&self) -> &BTreeMap<u32, String> {
        &self.groups
    }

    /// The path of `name` in `dir` from the root of the home, without a leading `/`.
    #[must_use]
    pub fn home_path(&self, dir: Ino, name: &[u8]) -> Vec<u8> {
        let mut components = vec![name];
        let mut at = self.names(dir).first();
        while let Some(above) = at.filter(|_| components.len() < DEPTH_MAX) {
            components.push(&above.name);
            at = self.names(above.dir).first();
        }
        components.reverse();
        components.join(&b'/')
    }

    /// Whether `ino` is a directory.
    #[must_use]
    pub fn is_directory(&self, ino: Ino) -> bool {
        self.directories.contains_key(&ino)
    }
}

fn lower_name<'a>(name: &'a [u8], alias: Option<&'a str>) -> Cow<'a, str> {
    let plain = alias.or_else(|| names::plain(name)).map(Cow::Borrowed);
    plain.unwrap_or_else(|| names::encode(name).into())
}

#[cfg(test)]
mod tests;
