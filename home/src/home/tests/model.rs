//! A tree as POSIX has it, as simple as can be: what the home is compared with.

use super::*;
use std::collections::BTreeMap;

/// A path as names from the root.
pub type Path = Vec<&'static str>;

/// One object of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub kind: Kind,
    pub mode: u16,
    /// User and group.
    pub owner: (u32, u32),
    /// When it was last changed, as long as that was said and not done.
    pub modified: Option<Time>,
    /// Of a symbolic link.
    pub target: Vec<u8>,
    pub content: Vec<u8>,
    pub xattr: Option<Vec<u8>>,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub names: BTreeMap<Path, usize>,
    pub objects: Vec<Object>,
}

impl Model {
    pub fn get(&self, path: &Path) -> Result<usize> {
        for depth in 1..path.len() {
            let above = self.names.get(&path[..depth]).ok_or(Errno::NOENT)?;
            if self.objects[*above].kind != Kind::Directory {
                return Err(Errno::NOTDIR);
            }
        }
        self.names.get(path).copied().ok_or(Errno::NOENT)
    }

    fn require_new(&self, path: &Path) -> Result<()> {
        match self.get(path) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) if path.len() == 1 => Ok(()),
            Err(Errno::NOENT) => {
                let above = self.get(&path[..path.len() - 1].to_vec())?;
                let is_dir = self.objects[above].kind == Kind::Directory;
                if is_dir { Ok(()) } else { Err(Errno::NOTDIR) }
            }
            Err(other) => Err(other),
        }
    }

    pub fn make(&mut self, path: &Path, kind: Kind) -> Result<()> {
        self.require_new(path)?;
        self.touch_above(path);
        let above = self.above(path).map(|id| &self.objects[id]);
        let set_gid = above.map_or(0, |above| above.mode & 0o2000);
        let inherited = if kind == Kind::Directory { set_gid } else { 0 };
        let group = above.filter(|_| set_gid != 0).map(|above| above.owner.1);
        let object = Object {
            kind,
            mode: 0o640 | inherited,
            owner: (1000, group.unwrap_or(1000)),
            modified: None,
            target: node(kind).target,
            content: Vec::new(),
            xattr: None,
        };
        self.objects.push(object);
        self.names.insert(path.clone(), self.objects.len() - 1);
        Ok(())
    }

    pub fn link(&mut self, from: &Path, to: &Path) -> Result<()> {
        let id = self.get(from)?;
        self.require_new(to)?;
        if self.objects[id].kind == Kind::Directory {
            return Err(Errno::PERM);
        }
        self.touch_above(to);
        self.names.insert(to.clone(), id);
        Ok(())
    }

    pub fn unlink(&mut self, path: &Path) -> Result<()> {
        let id = self.get(path)?;
        if self.objects[id].kind == Kind::Directory {
            return Err(Errno::ISDIR);
        }
        self.touch_above(path);
        self.names.remove(path);
        Ok(())
    }

    pub fn remove_dir(&mut self, path: &Path) -> Result<()> {
        let id = self.get(path)?;
        self.require_empty_dir(path, id)?;
        self.touch_above(path);
        self.names.remove(path);
        Ok(())
    }

    pub fn rename(&mut self, from: &Path, to: &Path, mode: RenameMode) -> Result<()> {
        let id = self.get(from)?;
        let target = match self.get(to) {
            Ok(target) => Some(target),
            Err(Errno::NOENT) => {
                self.require_new(to)?;
                None
            }
            Err(other) => return Err(other),
        };
        let is_dir = self.objects[id].kind == Kind::Directory;
        if is_dir && to.len() > from.len() && to.starts_with(from) {
            return Err(Errno::INVAL);
        }
        match (target, mode) {
            (Some(_), RenameMode::NoReplace) => return Err(Errno::EXIST),
            (None, RenameMode::Exchange) => return Err(Errno::NOENT),
            (Some(target), _) if target == id => return Ok(()),
            (Some(_), RenameMode::Exchange) => return self.exchange(from, to),
            (Some(target), _) => match (is_dir, self.objects[target].kind == Kind::Directory) {
                (true, true) => self.require_empty_dir(to, target)?,
                (true, false) => return Err(Errno::NOTDIR),
                (false, true) => return Err(Errno::ISDIR),
                (false, false) => {}
            },
            (None, _) => {}
        }
        self.touch_above(from);
        self.touch_above(to);
        let tree = self.take_tree(from);
        self.names.remove(to);
        self.put_tree(tree, from, to);
        Ok(())
    }

    fn exchange(&mut self, a: &Path, b: &Path) -> Result<()> {
        let inside = |a: &Path, b: &Path| {
            let is_dir = self.objects[self.names[b]].kind == Kind::Directory;
            is_dir && a.len() > b.len() && a.starts_with(b)
        };
        if inside(a, b) {
            return Err(Errno::INVAL);
        }
        self.touch_above(a);
        self.touch_above(b);
        let (tree_a, tree_b) = (self.take_tree(a), self.take_tree(b));
        self.put_tree(tree_a, a, b);
        self.put_tree(tree_b, b, a);
        Ok(())
    }

    /// The directory that holds `path`, unless that is the root.
    fn above(&self, path: &Path) -> Option<usize> {
        self.names.get(&path[..path.len() - 1]).copied()
    }

    /// Notes that the names in the directory that holds `path` change.
    fn touch_above(&mut self, path: &Path) {
        if let Some(above) = self.above(path) {
            self.objects[above].modified = None;
        }
    }

    /// Number of names of what is at `path`, and of a directory that of those it has in itself and below.
    fn links(&self, path: &Path, id: usize) -> usize {
        if self.objects[id].kind != Kind::Directory {
            return self.names.values().filter(|other| **other == id).count();
        }
        let inside = self.names.iter().filter(|(inner, id)| {
            inner.len() == path.len() + 1
                && inner.starts_with(path)
                && self.objects[**id].kind == Kind::Directory
        });
        2 + inside.count()
    }

    fn take_tree(&mut self, top: &Path) -> Vec<(Path, usize)> {
        let is_below = |path: &Path| path.starts_with(top);
        let tree: Vec<_> = self
            .names
            .iter()
            .filter(|(path, _)| is_below(path))
            .collect();
        let tree: Vec<_> = tree
            .into_iter()
            .map(|(path, id)| (path.clone(), *id))
            .collect();
        self.names.retain(|path, _| !path.starts_with(top));
        tree
    }

    fn put_tree(&mut self, tree: Vec<(Path, usize)>, from: &Path, to: &Path) {
        for (path, id) in tree {
            self.names
                .insert([&to[..], &path[from.len()..]].concat(), id);
        }
    }

    fn require_empty_dir(&self, path: &Path, id: usize) -> Result<()> {
        if self.objects[id].kind != Kind::Directory {
            return Err(Errno::NOTDIR);
        }
        let below = self
            .names
            .keys()
            .any(|p| p.len() > path.len() && p.starts_with(path));
        if below { Err(Errno::NOTEMPTY) } else { Ok(()) }
    }
}

/// The inode at `path`.
pub fn walk(home: &Home<Fake>, path: &Path) -> Result<Ino> {
    path.iter().try_fold(Ino::ROOT, |dir, name| {
        Ok(home.lookup(dir, name.as_bytes())?.ino)
    })
}

/// Compares all of `object` but its content with what is there; its attributes there.
pub fn assert_like(home: &Home<Fake>, path: &Path, object: &Object) -> Attributes {
    let ino = walk(home, path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let there = home.attributes(ino).unwrap();
    assert_eq!(
        (there.kind, there.mode, (there.uid, there.gid)),
        (object.kind, object.mode, object.owner),
        "{path:?}"
    );
    assert_eq!(home.xattr(ino, b"user.x").ok(), object.xattr, "{path:?}");
    if object.kind == Kind::Symlink {
        assert_eq!(home.read_link(ino).unwrap(), object.target, "{path:?}");
    }
    there
}

/// Compares the whole home with the model.
pub fn assert_same(home: &Home<Fake>, model: &Model) {
    let mut count = 0;
    for (path, id) in &model.names {
        let object = &model.objects[*id];
        let there = assert_like(home, path, object);
        if object.kind == Kind::File {
            assert_eq!(read_file(home, there.ino), object.content, "{path:?}");
        }
        assert_eq!(there.links as usize, model.links(path, *id), "{path:?}");
        if let Some(modified) = object.modified {
            assert_eq!(there.times.modified, modified, "{path:?}");
        }
        count += 1;
    }
    let entries = |home: &Home<Fake>| -> usize {
        home.with_table(|table| {
            table
                .inodes()
                .filter_map(|ino| table.entries(ino))
                .map(BTreeMap::len)
                .sum()
        })
    };
    assert_eq!(entries(home), count);
}

/// Everything visible, to compare before and after.
pub fn dump(home: &Home<Fake>) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut queue = vec![(String::new(), Ino::ROOT)];
    while let Some((path, dir)) = queue.pop() {
        for Listing { name, ino, kind } in home.list(dir)? {
            let path = format!("{path}/{}", name.escape_ascii());
            let a = home.attributes(ino)?;
            lines.push(format!(
                "{path} {ino:?} {kind:?} {:o} {} {:?}",
                a.mode, a.size, a.times
            ));
            if kind == Kind::Directory {
                queue.push((path, ino));
            }
        }
    }
    lines.sort();
    Ok(lines)
}
