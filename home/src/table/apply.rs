//! Applying records: every check that keeps the tree a tree.

use super::{Broken, COOKIE_MIN, DEPTH_MAX, Directory, Entry, GROUPS_MAX, Ino, Inode, Kind, Lower};
use super::{Name, NameRef, Node};
use super::{Place, Record, Table, Xattrs, lower_name, names};

/// No inode number reaches this: a forged one must not use up all that are left.
const INO_END: Ino = Ino(1 << 62);

impl Table {
    /// Changes the table as `record` says.
    ///
    /// # Errors
    /// [`Broken`] when the record does not fit; nothing has changed then.
    pub fn apply(&mut self, record: &Record) -> Result<(), Broken> {
        match record {
            Record::Inode(ino, inode) => self.set_inode(*ino, inode),
            Record::InodeGone(ino) => self.remove_inode(*ino),
            Record::Entry {
                dir,
                name,
                ino,
                alias,
            } => self.add_entry(
                *dir,
                name,
                Entry {
                    ino: *ino,
                    alias: alias.clone(),
                    cookie: 0,
                },
            ),
            Record::EntryGone { dir, name } => self.remove_entry(*dir, name),
            Record::Xattr(ino, name, value) => {
                self.xattrs_mut(*ino)?.insert(name.clone(), value.clone());
                Ok(())
            }
            Record::XattrGone(ino, name) => {
                self.xattrs_mut(*ino)?.remove(name);
                Ok(())
            }
            Record::Group(number, name) => self.set_group(*number, name),
            Record::Lost { ino, since, path } => self.lose(*ino, *since, path),
            Record::Found(ino) => self.find(*ino),
            Record::Lower(ino, lower) => self.set_lower(*ino, lower),
            Record::LowerGone(ino) => {
                self.remove_lower(*ino);
                Ok(())
            }
            Record::NextIno(ino) if *ino > INO_END => Err(Broken::NoInode(*ino)),
            Record::NextIno(ino) => {
                self.next = self.next.max(*ino);
                Ok(())
            }
        }
    }

    fn set_inode(&mut self, ino: Ino, inode: &Inode) -> Result<(), Broken> {
        if let Some(node) = self.nodes.get_mut(&ino) {
            if node.inode.kind != inode.kind {
                return Err(Broken::WrongKind(ino));
            }
            node.inode = inode.clone();
            return Ok(());
        }
        // Numbers are never used twice: a lower of a dead inode must not become that of a new one.
        let used = self.lowers.contains_key(&ino) || self.lost.contains_key(&ino);
        if !(Ino::FIRST..INO_END).contains(&ino) || used {
            return Err(Broken::NoInode(ino));
        }
        let node = Node {
            inode: inode.clone(),
            names: Vec::new(),
            xattrs: Xattrs::new(),
        };
        self.nodes.insert(ino, node);
        if inode.kind == Kind::Directory {
            self.directories.insert(ino, Directory::default());
        }
        self.next = self.next.max(Ino(ino.0 + 1));
        Ok(())
    }

    fn remove_inode(&mut self, ino: Ino) -> Result<(), Broken> {
        if self.forget(ino).is_some() {
            return Ok(());
        }
        self.take_nameless(ino).map(drop)
    }

    /// Takes out an inode that nothing leads to and that leads to nothing.
    pub(super) fn take_nameless(&mut self, ino: Ino) -> Result<Node, Broken> {
        let node = self.nodes.get(&ino).ok_or(Broken::NoInode(ino))?;
        let empty = self
            .directories
            .get(&ino)
            .is_none_or(|dir| dir.entries.is_empty());
        if ino == Ino::ROOT || !node.names.is_empty() || !empty {
            return Err(Broken::InUse(ino));
        }
        let node = self.nodes.remove(&ino).ok_or(Broken::NoInode(ino))?;
        self.directories.remove(&ino);
        self.review(ino);
        Ok(node)
    }

    fn add_entry(&mut self, dir: Ino, name: &[u8], entry: Entry) -> Result<(), Broken> {
        let ino = entry.ino;
        let lower = lower_name(name, entry.alias.as_deref());
        let directory = self.directories.get(&dir).ok_or(Broken::NoInode(dir))?;
        let fold = names::fold(&lower);
        let free = !directory.entries.contains_key(name) && !directory.claimed.contains(&fold);
        if !names::is_valid(name) || !is_component(dir, &lower) || !free {
            return Err(Broken::Name(dir));
        }
        let node = self.nodes.get(&ino).ok_or(Broken::NoInode(ino))?;
        let is_directory = node.inode.kind == Kind::Directory;
        let parented = ino == Ino::ROOT || !node.names.is_empty();
        if is_directory && (parented || self.is_within(dir, ino)) {
            return Err(Broken::Tree(ino));
        }
        let directory = self.directories.get_mut(&dir).ok_or(Broken::NoInode(dir))?;
        directory.insert(name.into(), entry);
        directory.claimed.insert(fold);
        directory.subdirectories += u32::from(is_directory);
        let node = self.nodes.get_mut(&ino).ok_or(Broken::NoInode(ino))?;
        node.names.push(NameRef {
            dir,
            name: name.to_vec(),
        });
        self.review(ino);
        Ok(())
    }

    fn remove_entry(&mut self, dir: Ino, name: &[u8]) -> Result<(), Broken> {
        let directory = self.directories.get_mut(&dir).ok_or(Broken::NoInode(dir))?;
        let entry = directory.remove(name).ok_or(Broken::Name(dir))?;
        directory
            .claimed
            .remove(&names::fold(&lower_name(name, entry.alias.as_deref())));
        let is_directory = self.directories.contains_key(&entry.ino);
        if let Some(directory) = self.directories.get_mut(&dir) {
            directory.subdirectories -= u32::from(is_directory);
        }
        if let Some(node) = self.nodes.get_mut(&entry.ino) {
            node.names
                .retain(|known| known.dir != dir || known.name != name);
        }
        self.review(entry.ino);
        Ok(())
    }

    fn set_group(&mut self, number: u32, name: &str) -> Result<(), Broken> {
        if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&number) {
            return Err(Broken::Groups);
        }
        self.groups.insert(number, name.to_owned());
        Ok(())
    }

    fn xattrs_mut(&mut self, ino: Ino) -> Result<&mut Xattrs, Broken> {
        self.nodes
            .get_mut(&ino)
            .map(|node| &mut node.xattrs)
            .ok_or(Broken::NoInode(ino))
    }

    fn set_lower(&mut self, ino: Ino, lower: &Lower) -> Result<(), Broken> {
        let fits = match self.nodes.get(&ino) {
            Some(node) => ino != Ino::ROOT && node.inode.kind.has_lower(),
            None => (Ino::FIRST..self.next).contains(&ino),
        };
        if !fits || !self.may_stand_in(ino, &lower.place) {
            return Err(Broken::Place(ino));
        }
        if let Some(known) = self.lowers.get_mut(&ino)
            && known.place == lower.place
        {
            (known.parts, known.print) = (lower.parts, lower.print);
            return Ok(());
        }
        let folded = lower.place.folded();
        if self
            .occupied
            .get(&folded)
            .is_some_and(|other| *other != ino)
        {
            return Err(Broken::Place(ino));
        }
        self.remove_lower(ino);
        self.occupied.insert(folded, ino);
        self.lowers.insert(ino, lower.clone());
        self.review(ino);
        Ok(())
    }

    fn remove_lower(&mut self, ino: Ino) {
        if let Some(old) = self.lowers.remove(&ino) {
            self.occupied.remove(&old.place.folded());
        }
        self.misplaced.remove(&ino);
        self.garbage.remove(&ino);
    }

    /// A component in a directory on the medium that is not below `ino` itself.
    fn may_stand_in(&self, ino: Ino, place: &Place) -> bool {
        let known =
            matches!(place.dir, Ino::ROOT | Ino::TMP) || self.lowers.contains_key(&place.dir);
        known && is_component(place.dir, &place.name) && !self.lower_within(place.dir, ino)
    }

    fn lower_within(&self, dir: Ino, ino: Ino) -> bool {
        let mut at = dir;
        for _ in 0..DEPTH_MAX {
            if at == ino {
                return true;
            }
            match self.lowers.get(&at) {
                Some(lower) => at = lower.place.dir,
                None => return false,
            }
        }
        true
    }
}

impl Directory {
    /// Puts an entry behind all others, also those that have gone.
    fn insert(&mut self, name: Name, entry: Entry) {
        self.last_cookie = COOKIE_MIN.max(self.last_cookie + 1);
        let cookie = self.last_cookie;
        self.order.insert(cookie, Name::clone(&name));
        self.entries.insert(name, Entry { cookie, ..entry });
    }

    fn remove(&mut self, name: &[u8]) -> Option<Entry> {
        let entry = self.entries.remove(name)?;
        self.order.remove(&entry.cookie);
        Some(entry)
    }
}

/// One harmless path component, and not our private directory.
fn is_component(dir: Ino, name: &str) -> bool {
    let private = dir == Ino::ROOT && name.eq_ignore_ascii_case(names::PRIVATE_DIR);
    let special = matches!(name, "" | "." | "..");
    !private && !special && !name.contains(['/', '\0'])
}
