//! What the medium holds: every directory read once.

use crate::ids::Ino;
use crate::medium::{FactKind, Facts, Medium};
use crate::names;
use crate::table::lowers::TMP_DIR;
use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io;

/// Deepest directory read; deeper than any of ours.
const DEPTH_MAX: usize = 65_536;

/// Index of a directory in a [`Scan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DirIndex(usize);

/// One object found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its exact lower name.
    pub name: String,
    /// What the medium says.
    pub facts: Facts,
    /// Its content if it is a directory.
    pub dir: Option<DirIndex>,
    /// Whose lower it is.
    pub owner: Option<Ino>,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Scan {
    /// By directory, then by folded name.
    dirs: Vec<BTreeMap<String, Found>>,
    paths: Vec<String>,
    /// Which directory found is which of ours.
    known: HashMap<Ino, DirIndex>,
    /// See [`Scan::leftovers`].
    left: Vec<(String, Facts)>,
}

impl Scan {
    /// Reads everything below the home besides our private directory.
    pub fn of<M: Medium>(medium: &M) -> io::Result<Self> {
        let mut scan = Self {
            dirs: Vec::new(),
            paths: Vec::new(),
            known: HashMap::new(),
            left: Vec::new(),
        };
        let root = scan.read(medium, String::new())?;
        scan.known.insert(Ino::ROOT, root);
        match scan.read(medium, TMP_DIR.to_owned()) {
            Ok(tmp) => drop(scan.known.insert(Ino::TMP, tmp)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(scan)
    }

    /// The object at a place, if its directory is known.
    pub fn at(&self, dir: Ino, lower: &str) -> Option<&Found> {
        self.dirs[self.known.get(&dir)?.0].get(&names::fold(lower))
    }

    /// Says whose lower the object at a place is.
    pub fn claim(&mut self, dir: Ino, lower: &str, owner: Ino) {
        let Some(index) = self.known.get(&dir) else {
            return;
        };
        if let Some(found) = self.dirs[index.0].get_mut(&names::fold(lower)) {
            found.owner = Some(owner);
            if let Some(dir) = found.dir {
                self.known.insert(owner, dir);
            }
        }
    }

    /// Says that the object at a place is what is left of an interrupted rename of `owner`; its path.
    pub fn claim_twin(&mut self, dir: Ino, lower: &str, owner: Ino) -> Option<(String, Facts)> {
        let index = self.known.get(&dir)?;
        let found = self.dirs[index.0].get_mut(&names::fold(lower))?;
        found.owner = Some(owner);
        Some((join(&self.paths[index.0], &found.name), found.facts))
    }

    /// Gives up directories nobody can have a name in: what stands there without owner is left over.
    pub fn abandon(&mut self, is_gone: impl Fn(Ino) -> bool) {
        let dirs = self.known.keys().copied();
        let gone: Vec<Ino> = dirs.filter(|ino| is_gone(*ino)).collect();
        for index in gone.iter().filter_map(|ino| self.known.remove(ino)) {
            let above = &self.paths[index.0];
            let unowned = unowned(&self.dirs[index.0]);
            self.left
                .extend(unowned.map(|found| (join(above, &found.name), found.facts)));
        }
    }

    /// Paths of what nobody needs: what stood in directories that were given up.
    pub fn leftovers(&self) -> &[(String, Facts)] {
        &self.left
    }

    /// Objects without owner whose directory is known.
    pub fn unknown(&self) -> Vec<(Ino, Found)> {
        let mut dirs: Vec<_> = self
            .known
            .iter()
            .filter(|(ino, _)| **ino != Ino::TMP)
            .collect();
        dirs.sort_unstable_by_key(|(ino, _)| **ino);
        let of = |(ino, index): (&Ino, &DirIndex)| {
            let dir = *ino;
            unowned(&self.dirs[index.0])
                .map(move |found| (dir, found.clone()))
                .collect::<Vec<_>>()
        };
        dirs.into_iter().flat_map(of).collect()
    }

    fn read<M: Medium>(&mut self, medium: &M, path: String) -> io::Result<DirIndex> {
        let top = DirIndex(self.dirs.len());
        let mut queue = vec![(path, 0)];
        let mut parents: Vec<Option<(DirIndex, String)>> = vec![None];
        while let (Some((path, depth)), Some(parent)) = (queue.pop(), parents.pop()) {
            let index = DirIndex(self.dirs.len());
            let dir = read_one(medium, &path)?;
            for (fold, found) in &dir {
                if found.facts.kind == FactKind::Directory && depth < DEPTH_MAX {
                    queue.push((join(&path, &found.name), depth + 1));
                    parents.push(Some((index, fold.clone())));
                }
            }
            self.dirs.push(dir);
            self.paths.push(path);
            let above = parent.and_then(|(above, fold)| self.dirs[above.0].get_mut(&fold));
            if let Some(found) = above {
                found.dir = Some(index);
            }
        }
        Ok(top)
    }
}

/// What is in one directory, by folded name. Of two objects whose names differ only for the lower
/// filesystem at hand, not for others, one gets another name.
fn read_one<M: Medium>(medium: &M, path: &str) -> io::Result<BTreeMap<String, Found>> {
    let mut dir = BTreeMap::new();
    let mut twins = Vec::new();
    for (name, facts) in medium.list(path)? {
        if !is_of_the_home(path, &name, &facts) {
            continue;
        }
        match dir.entry(names::fold(&name)) {
            Entry::Vacant(free) => drop(free.insert(found(name, facts))),
            Entry::Occupied(_) => twins.push((name, facts)),
        }
    }
    for (name, facts) in twins {
        let plain = names::name_for(&name);
        let free = (2..).map(|number| names::encode(&names::numbered(&plain, number)));
        let free = free
            .into_iter()
            .find(|free| !dir.contains_key(&names::fold(free)));
        let Some(free) = free else { continue };
        match medium.rename(&join(path, &name), &join(path, &free)) {
            Ok(()) => drop(dir.insert(names::fold(&free), found(free, facts))),
            Err(error) => tracing::warn!(directory = path, name, %error, "left out"),
        }
    }
    Ok(dir)
}

fn unowned(dir: &BTreeMap<String, Found>) -> impl Iterator<Item = &Found> {
    dir.values().filter(|found| found.owner.is_none())
}

fn found(name: String, facts: Facts) -> Found {
    Found {
        name,
        facts,
        dir: None,
        owner: None,
    }
}

/// Whether an object is a file or directory that is not our own.
pub(super) fn is_of_the_home(path: &str, name: &str, facts: &Facts) -> bool {
    let private = path.is_empty() && name.eq_ignore_ascii_case(names::PRIVATE_DIR);
    facts.kind != FactKind::Other && !private
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}
