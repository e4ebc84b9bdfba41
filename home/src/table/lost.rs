//! Inodes whose lowers a stranger took away: what they were is kept, should they come back.

use super::{Broken, Directory, Ino, Inode, Kind, Node, Table, Xattrs};

/// What is known of a lost inode.
#[derive(Clone, Debug)]
pub struct Lost {
    /// When it was missed, in seconds since 1970.
    pub since: i64,
    /// Its path from the root of the home, without a leading `/`.
    pub path: Vec<u8>,
    /// Its attributes.
    pub inode: Inode,
    pub(super) xattrs: Xattrs,
}

impl Table {
    /// All lost inodes by number.
    pub fn lost(&self) -> impl Iterator<Item = (Ino, &Lost)> {
        self.lost.iter().map(|(ino, lost)| (*ino, lost))
    }

    /// The inode lost last at `path`, with its attributes.
    #[must_use]
    pub fn lost_at(&self, path: &[u8]) -> Option<(Ino, &Inode)> {
        let ino = *self.lost_paths.get(path)?;
        Some((ino, &self.lost.get(&ino)?.inode))
    }

    /// Lost inodes of the kinds nothing on the medium stands for that were in the directory `path`,
    /// with their names.
    #[must_use]
    pub fn lost_links_in(&self, path: &[u8]) -> Vec<(Ino, Vec<u8>)> {
        let name_in = |lost: &Lost| {
            let at = lost.path.iter().rposition(|byte| *byte == b'/')?;
            let below = lost.path[..at] == *path && !lost.inode.kind.has_lower();
            below.then(|| lost.path[at + 1..].to_vec())
        };
        let lost = self.lost.iter();
        lost.filter_map(|(ino, lost)| Some((*ino, name_in(lost)?)))
            .collect()
    }

    pub(super) fn lose(&mut self, ino: Ino, since: i64, path: &[u8]) -> Result<(), Broken> {
        let node = self.take_nameless(ino)?;
        let lost = Lost {
            since,
            path: path.to_vec(),
            inode: node.inode,
            xattrs: node.xattrs,
        };
        self.lost.insert(ino, lost);
        self.lost_paths.insert(path.to_vec(), ino);
        Ok(())
    }

    pub(super) fn find(&mut self, ino: Ino) -> Result<(), Broken> {
        if self.lowers.contains_key(&ino) {
            return Err(Broken::InUse(ino));
        }
        let lost = self.forget(ino).ok_or(Broken::NoInode(ino))?;
        if lost.inode.kind == Kind::Directory {
            self.directories.insert(ino, Directory::default());
        }
        let node = Node {
            inode: lost.inode,
            names: Vec::new(),
            xattrs: lost.xattrs,
        };
        self.nodes.insert(ino, node);
        Ok(())
    }

    /// Takes a lost inode out, for good or because it is back.
    pub(super) fn forget(&mut self, ino: Ino) -> Option<Lost> {
        let lost = self.lost.remove(&ino)?;
        if self.lost_paths.get(&lost.path) == Some(&ino) {
            self.lost_paths.remove(&lost.path);
        }
        Some(lost)
    }
}
