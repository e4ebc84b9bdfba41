//! What is on the disk, and what of it is durable.

use super::super::{FactKind, Facts};
use super::object::Object;
use crate::names;
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

pub(super) type Id = u64;
/// By folded name: exact name and object.
pub(super) type Names = BTreeMap<String, (String, Id)>;

pub(super) const ROOT: Id = 0;

#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) objects: HashMap<Id, Object>,
    pub(super) live: HashMap<Id, Names>,
    pub(super) durable: HashMap<Id, Names>,
    /// When each name was last changed.
    pub(super) changed: HashMap<(Id, String), u64>,
    pub(super) next: Id,
    pub(super) clock: i64,
    /// Whether changes take no time.
    pub(super) still: bool,
    pub(super) operations: u64,
    /// Directories read.
    pub(super) listings: u64,
    /// Power is lost when this many operations have happened.
    pub(super) power_until: u64,
    /// Bytes that fit.
    pub(super) capacity: u64,
    /// Whether no directory takes a new name.
    pub(super) no_names: bool,
    /// Names that a directory takes.
    pub(super) names_max: usize,
    pub(super) boots: u64,
    /// Whether a name could not be written.
    pub(super) lost_names: bool,
}

impl Disk {
    /// A disk with an empty root directory.
    pub(super) fn new() -> Self {
        let root = Object {
            is_dir: true,
            ..Object::default()
        };
        Self {
            objects: HashMap::from([(ROOT, root)]),
            live: HashMap::from([(ROOT, Names::new())]),
            durable: HashMap::from([(ROOT, Names::new())]),
            changed: HashMap::new(),
            next: 1,
            clock: 1_700_000_000,
            still: false,
            operations: 0,
            listings: 0,
            power_until: u64::MAX,
            capacity: u64::MAX,
            no_names: false,
            names_max: usize::MAX,
            boots: 0,
            lost_names: false,
        }
    }

    pub(super) fn check(&mut self, boot: u64) -> io::Result<()> {
        let on = self.operations < self.power_until && boot == self.boots;
        if on { Ok(()) } else { Err(errno(Errno::IO)) }
    }

    /// Counts a change.
    pub(super) fn step(&mut self) -> io::Result<()> {
        self.operations += 1;
        self.clock += i64::from(!self.still && self.operations.is_multiple_of(8));
        if self.operations > self.power_until {
            return Err(errno(Errno::IO));
        }
        Ok(())
    }

    pub(super) fn dir(&self, path: &str) -> io::Result<Id> {
        let mut at = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let (_, id) = self.live[&at].get(&fold(name)).ok_or(missing())?;
            at = *id;
            if !self.objects[&at].is_dir {
                return Err(errno(Errno::NOTDIR));
            }
        }
        Ok(at)
    }

    pub(super) fn split<'a>(&self, path: &'a str) -> io::Result<(Id, &'a str)> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.dir(dir)?, name))
    }

    pub(super) fn find(&self, path: &str) -> io::Result<Id> {
        let (dir, name) = self.split(path)?;
        self.live[&dir]
            .get(&fold(name))
            .map(|(_, id)| *id)
            .ok_or(missing())
    }

    pub(super) fn add(&mut self, path: &str, is_dir: bool) -> io::Result<Id> {
        let (dir, name) = self.split(path)?;
        self.require_new(dir, name)?;
        if self.no_names {
            return Err(errno(Errno::NOSPC));
        }
        self.step()?;
        let id = self.next;
        self.next += 1;
        let object = Object {
            is_dir,
            modified: self.clock,
            born: self.clock,
            ..Object::default()
        };
        self.objects.insert(id, object);
        if is_dir {
            self.live.insert(id, Names::new());
            self.durable.insert(id, Names::new());
        }
        self.set(dir, name, Some(id));
        Ok(id)
    }

    pub(super) fn require_new(&self, dir: Id, name: &str) -> io::Result<()> {
        let bad = |c: char| c < ' ' || "\"*/:<>?\\|".contains(c);
        if name.is_empty() || name.contains(bad) || name.ends_with(['.', ' ']) {
            return Err(errno(Errno::INVAL));
        }
        if !names::fits(name) {
            return Err(errno(Errno::NAMETOOLONG));
        }
        if self.live[&dir].contains_key(&fold(name)) {
            return Err(errno(Errno::EXIST));
        }
        if self.live[&dir].len() >= self.names_max {
            return Err(errno(Errno::NOSPC));
        }
        Ok(())
    }

    pub(super) fn set(&mut self, dir: Id, name: &str, id: Option<Id>) {
        let fold = fold(name);
        let names = self.live.get_mut(&dir).unwrap();
        match id {
            Some(id) => names.insert(fold.clone(), (name.to_owned(), id)),
            None => names.remove(&fold),
        };
        self.changed.insert((dir, fold), self.operations);
    }

    pub(super) fn remove(&mut self, path: &str, is_dir: bool) -> io::Result<()> {
        let (dir, name) = self.split(path)?;
        let id = self.find(path)?;
        match (is_dir, self.objects[&id].is_dir) {
            (false, true) => return Err(errno(Errno::ISDIR)),
            (true, false) => return Err(errno(Errno::NOTDIR)),
            (true, true) if !self.live[&id].is_empty() => {
                return Err(errno(Errno::NOTEMPTY));
            }
            _ => {}
        }
        self.step()?;
        self.set(dir, name, None);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let id = self.find(from)?;
        let (dir, name) = self.split(to)?;
        self.require_new(dir, name)?;
        let inside = |path: &str| format!("{path}/").to_uppercase();
        if inside(to).starts_with(&inside(from)) {
            return Err(errno(Errno::INVAL));
        }
        self.step()?;
        let (old_dir, old_name) = self.split(from)?;
        self.set(dir, name, Some(id));
        self.set(old_dir, old_name, None);
        Ok(())
    }

    pub(super) fn sync_dirs(&mut self, paths: &[String]) -> io::Result<()> {
        for path in paths {
            let Ok(dir) = self.dir(path) else { continue };
            self.step()?;
            let names = self.live[&dir].clone();
            self.durable.insert(dir, names);
        }
        self.require_names()
    }

    /// Fails if names were lost.
    pub(super) fn require_names(&self) -> io::Result<()> {
        match self.lost_names {
            true => Err(errno(Errno::IO)),
            false => Ok(()),
        }
    }

    /// Makes the name of an object durable, and with the block it stands in whatever names beside it
    /// were removed.
    pub(super) fn sync_name(&mut self, id: Id) {
        for (dir, live) in &self.live {
            let Some((fold, named)) = live.iter().find(|(_, (_, other))| *other == id) else {
                continue;
            };
            let durable = self.durable.get_mut(dir).unwrap();
            durable.retain(|fold, _| live.contains_key(fold));
            durable.insert(fold.clone(), named.clone());
        }
    }

    pub(super) fn sync_all(&mut self) -> io::Result<()> {
        self.step()?;
        self.durable = self.live.clone();
        let named = self.live.values().flat_map(|names| names.values());
        let reachable: HashSet<Id> = named.map(|(_, id)| *id).collect();
        self.objects
            .retain(|id, _| *id == ROOT || reachable.contains(id));
        self.objects.values_mut().try_for_each(Object::sync)?;
        self.require_names()
    }

    /// Bytes of everything that has a name.
    pub(super) fn used(&self) -> u64 {
        let named = self.live.values().flat_map(|names| names.values());
        named
            .map(|(_, id)| self.objects[id].live.len() as u64)
            .sum()
    }

    pub(super) fn facts(&self, id: Id) -> Facts {
        let object = &self.objects[&id];
        let kind = if object.is_dir {
            FactKind::Directory
        } else {
            FactKind::File
        };
        let size = object.live.len() as u64;
        Facts {
            kind,
            size,
            allocated: size,
            modified: object.modified / 2 * 2,
            modified_nanos: 0,
            born: object.born,
        }
    }
}

/// What the medium compares: case, nothing else.
fn fold(name: &str) -> String {
    let upper = |c: char| {
        let mut mapped = c.to_uppercase();
        mapped
            .next()
            .filter(|_| mapped.next().is_none())
            .unwrap_or(c)
    };
    name.chars().map(upper).collect()
}

fn missing() -> io::Error {
    errno(Errno::NOENT)
}

pub(super) fn errno(errno: Errno) -> io::Error {
    errno.into()
}
