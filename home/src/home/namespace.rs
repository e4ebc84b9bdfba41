//! Names: looking up, making, removing, renaming, linking, listing.

use super::batch::Batch;
use super::{Attributes, Errno, Home, Ino, Inode, Kind, Medium, OpenFile, Owner, Record, Result};
use super::{SplitFile, State, Time, errno, new_inode, print};
use crate::medium::MediumFile;
use crate::names;
use crate::record::{Lower, Place, Print, TARGET_MAX};
use std::sync::Arc;

/// Deepest directory that takes new names: as deep as a path of `PATH_MAX` bytes can lead.
const DEPTH_MAX: usize = 2048;

/// What to make.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, after the umask.
    pub mode: u16,
    /// Creating user.
    pub uid: u32,
    /// Creating group.
    pub gid: u32,
    /// Device number of devices.
    pub device: u32,
    /// Target of symbolic links.
    pub target: Vec<u8>,
}

/// How to treat a target that exists; see renameat2(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// Replace it.
    Replace,
    /// Fail.
    NoReplace,
    /// Swap the two.
    Exchange,
}

/// One line of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Name.
    pub name: Vec<u8>,
    /// Inode.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
}

impl<M: Medium> Home<M> {
    /// The inode `name` in `dir` leads to.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`.
    pub fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Attributes> {
        let state = self.state();
        let ino = state.find(dir, name)?;
        self.attributes_in(&state, ino)
    }

    /// Everything in `dir` besides `.` and `..`.
    ///
    /// # Errors
    /// `ENOTDIR`.
    pub fn list(&self, dir: Ino) -> Result<Vec<Listing>> {
        let state = self.state();
        let entries = state.table.entries(dir).ok_or(Errno::NOTDIR)?;
        let listing = |(name, entry): (&Vec<u8>, &crate::table::Entry)| {
            let kind = state
                .table
                .inode(entry.ino)
                .map_or(Kind::File, |inode| inode.kind);
            Listing {
                name: name.clone(),
                ino: entry.ino,
                kind,
            }
        };
        Ok(entries.iter().map(listing).collect())
    }

    /// The directory above `dir`.
    #[must_use]
    pub fn parent(&self, dir: Ino) -> Ino {
        self.state().table.parent(dir)
    }

    /// Makes an inode called `name` in `dir`.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `ENOSPC`, `ENAMETOOLONG`, those of the medium.
    pub fn make(&self, dir: Ino, name: &[u8], node: &NewNode) -> Result<Attributes> {
        let mut state = self.state();
        let (ino, _) = self.make_in(&mut state, dir, name, node)?;
        self.attributes_in(&state, ino)
    }

    /// Makes a regular file and opens it; needs one [`Home::release`].
    ///
    /// # Errors
    /// As [`Home::make`].
    pub fn create(
        &self,
        dir: Ino,
        name: &[u8],
        node: &NewNode,
    ) -> Result<(Attributes, Arc<SplitFile<M::File>>)> {
        let mut state = self.state();
        let (ino, file) = self.make_in(&mut state, dir, name, node)?;
        let part_size = self.medium.limits().part_size;
        let file = Arc::new(SplitFile::new(vec![file.ok_or(Errno::INVAL)?], part_size));
        state.files.insert(ino, OpenFile::new(Arc::clone(&file)));
        Ok((self.attributes_in(&state, ino)?, file))
    }

    /// Removes the name of anything but a directory.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`.
    pub fn unlink(&self, dir: Ino, name: &[u8]) -> Result<()> {
        let mut state = self.state();
        let ino = state.find(dir, name)?;
        if state.table.is_directory(ino) {
            return Err(Errno::ISDIR);
        }
        state.remove(dir, name, ino)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENOTEMPTY`.
    pub fn remove_dir(&self, dir: Ino, name: &[u8]) -> Result<()> {
        let mut state = self.state();
        let ino = state.find(dir, name)?;
        state.require_empty_dir(ino)?;
        state.remove(dir, name, ino)
    }

    /// Gives `ino` another name.
    ///
    /// # Errors
    /// `EEXIST`, `EPERM` for directories, `ENOENT` for an inode that lost its last name.
    pub fn link(&self, ino: Ino, dir: Ino, name: &[u8]) -> Result<Attributes> {
        let mut state = self.state();
        state.require_free(dir, name)?;
        if state.table.is_directory(ino) {
            return Err(Errno::PERM);
        }
        if state.table.names(ino).is_empty() {
            return Err(Errno::NOENT);
        }
        let now = Time::now();
        let mut batch = state.begin()?;
        state.name(&mut batch, dir, name, ino)?;
        state.touch(&mut batch, ino, now)?;
        state.touch_dir(&mut batch, dir, now)?;
        state.finish(batch)?;
        self.attributes_in(&state, ino)
    }

    /// Renames `from` to `to`, each a directory and a name in it.
    ///
    /// # Errors
    /// Those of renameat2(2).
    pub fn rename(&self, from: (Ino, &[u8]), to: (Ino, &[u8]), mode: RenameMode) -> Result<()> {
        self.sync_before_replacing(from, to)?;
        let mut state = self.state();
        let ino = state.find(from.0, from.1)?;
        let target = match state.find(to.0, to.1) {
            Ok(target) => Some(target),
            Err(Errno::NOENT) => None,
            Err(other) => return Err(other),
        };
        state.require_movable(ino, to.0)?;
        match (target, mode) {
            (Some(_), RenameMode::NoReplace) => Err(Errno::EXIST),
            (None, RenameMode::Exchange) => Err(Errno::NOENT),
            (Some(target), _) if target == ino => Ok(()),
            (Some(target), RenameMode::Exchange) => state.exchange((from, ino), (to, target)),
            (target, _) => state.replace((from, ino), to, target),
        }
    }

    /// A file about to replace another has its content durable first, whatever the program did.
    fn sync_before_replacing(&self, from: (Ino, &[u8]), to: (Ino, &[u8])) -> Result<()> {
        let ino = {
            let state = self.state();
            let ino = state.find(from.0, from.1)?;
            let replaces = state.find(to.0, to.1).is_ok_and(|target| target != ino);
            if !replaces || !state.dirty.contains(&ino) {
                return Ok(());
            }
            ino
        };
        self.sync_content(ino)
    }

    fn make_in(
        &self,
        state: &mut State<M>,
        dir: Ino,
        name: &[u8],
        node: &NewNode,
    ) -> Result<(Ino, Option<M::File>)> {
        state.require_free(dir, name)?;
        let inode = self.inherit(state, dir, node)?;
        let mut batch = state.begin()?;
        let ino = state.table.next_ino();
        let lower = if node.kind.has_lower() {
            Some(self.make_lower(state, ino, (dir, name), node.kind)?)
        } else {
            None
        };
        let now = inode.times.born;
        state.apply(&mut batch, Record::Inode(ino, inode))?;
        state.name(&mut batch, dir, name, ino)?;
        let mut file = None;
        if let Some((lower, made)) = lower {
            state.loose_dirs.insert(lower.place.dir);
            state.apply(&mut batch, Record::Lower(ino, lower))?;
            file = made;
        }
        state.touch_dir(&mut batch, dir, now)?;
        state.finish(batch)?;
        Ok((ino, file))
    }

    /// The attributes of a new node; in a set-gid directory the group is that of the directory.
    fn inherit(&self, state: &State<M>, dir: Ino, node: &NewNode) -> Result<Inode> {
        if node.target.len() > TARGET_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let above = state.table.inode(dir).ok_or(Errno::NOENT)?;
        let set_gid = above.mode & 0o2000 != 0;
        let owner = Owner::from_id(node.uid, self.options.uid);
        let own_group = Owner::from_id(node.gid, self.options.gid);
        let group = if set_gid { above.group } else { own_group };
        let inherited = if set_gid && node.kind == Kind::Directory {
            0o2000
        } else {
            0
        };
        let mut inode = new_inode(node.kind, node.mode | inherited, (owner, group));
        inode.device = node.device;
        inode.size = node.target.len() as u64;
        inode.target.clone_from(&node.target);
        Ok(inode)
    }

    /// Makes the lower of `ino` at the wanted place, or where it can wait.
    fn make_lower(
        &self,
        state: &State<M>,
        ino: Ino,
        (dir, name): (Ino, &[u8]),
        kind: Kind,
    ) -> Result<(Lower, Option<M::File>)> {
        let alias = state.table.alias_for(dir, name);
        let wanted = Place {
            dir,
            name: alias.unwrap_or_else(|| names::encode(name)),
        };
        if state.is_free(&wanted) {
            match self.make_at(state, &wanted, kind) {
                // The medium dislikes the name, knows it already, or the directory is full or damaged.
                Err(error) => tracing::debug!(%error, "a lower file waits for its name"),
                Ok(made) => return Ok(made),
            }
        }
        self.make_at(state, &crate::table::Table::waiting_place(ino), kind)
    }

    fn make_at(
        &self,
        state: &State<M>,
        place: &Place,
        kind: Kind,
    ) -> Result<(Lower, Option<M::File>)> {
        let path = state.table.path(place).ok_or(Errno::IO)?;
        let (file, print) = if kind == Kind::Directory {
            self.medium.make_dir(&path).map_err(errno)?;
            (
                None,
                self.medium
                    .facts(&path)
                    .map(|facts| print(&facts))
                    .unwrap_or_default(),
            )
        } else {
            let file = self.medium.create(&path).map_err(errno)?;
            let print = file.facts().map(|facts| print(&facts)).unwrap_or_default();
            (Some(file), print)
        };
        let lower = Lower {
            place: place.clone(),
            parts: 1,
            print: Print { size: 0, ..print },
        };
        Ok((lower, file))
    }
}

type At<'a> = (Ino, &'a [u8]);

impl<M: Medium> State<M> {
    pub(super) fn find(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        if name.len() > names::NAME_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        if !self.table.is_directory(dir) {
            return Err(Errno::NOTDIR);
        }
        self.table
            .entry(dir, name)
            .map(|entry| entry.ino)
            .ok_or(Errno::NOENT)
    }

    /// Whether a lower object may be put at `place`.
    pub(super) fn is_free(&self, place: &Place) -> bool {
        self.table.occupant(place).is_none() && !self.vacated.contains(&place.folded())
    }

    fn require_free(&self, dir: Ino, name: &[u8]) -> Result<()> {
        match self.find(dir, name) {
            Ok(_) => return Err(Errno::EXIST),
            Err(Errno::NOENT) => {}
            Err(other) => return Err(other),
        }
        let alive = dir == Ino::ROOT || !self.table.names(dir).is_empty();
        match (alive, names::is_valid(name)) {
            (false, _) => Err(Errno::NOENT),
            (true, false) => Err(Errno::INVAL),
            (true, true) if self.table.depth(dir) >= DEPTH_MAX => Err(Errno::NAMETOOLONG),
            (true, true) => Ok(()),
        }
    }

    fn require_empty_dir(&self, ino: Ino) -> Result<()> {
        let entries = self.table.entries(ino).ok_or(Errno::NOTDIR)?;
        if entries.is_empty() {
            Ok(())
        } else {
            Err(Errno::NOTEMPTY)
        }
    }

    fn require_movable(&self, ino: Ino, dir: Ino) -> Result<()> {
        let into_itself = self.table.is_directory(ino) && self.table.is_within(dir, ino);
        let alive = dir == Ino::ROOT || !self.table.names(dir).is_empty();
        match (into_itself, alive) {
            (true, _) => Err(Errno::INVAL),
            (_, false) => Err(Errno::NOENT),
            _ if self.table.depth(dir) >= DEPTH_MAX => Err(Errno::NAMETOOLONG),
            _ => Ok(()),
        }
    }

    fn name(&mut self, batch: &mut Batch, dir: Ino, name: &[u8], ino: Ino) -> Result<()> {
        let alias = self.table.alias_for(dir, name);
        self.apply(
            batch,
            Record::Entry {
                dir,
                name: name.to_vec(),
                ino,
                alias,
            },
        )
    }

    fn unname(&mut self, batch: &mut Batch, (dir, name): At<'_>) -> Result<()> {
        self.apply(
            batch,
            Record::EntryGone {
                dir,
                name: name.to_vec(),
            },
        )
    }

    fn remove(&mut self, dir: Ino, name: &[u8], ino: Ino) -> Result<()> {
        let now = Time::now();
        let mut batch = self.begin()?;
        self.unname(&mut batch, (dir, name))?;
        self.touch(&mut batch, ino, now)?;
        self.touch_dir(&mut batch, dir, now)?;
        self.finish(batch)?;
        self.drop_if_unused(ino)
    }

    fn replace(
        &mut self,
        (from, ino): (At<'_>, Ino),
        to: At<'_>,
        target: Option<Ino>,
    ) -> Result<()> {
        self.require_replaceable(ino, target)?;
        let now = Time::now();
        let mut batch = self.begin()?;
        if let Some(target) = target {
            self.unname(&mut batch, to)?;
            self.touch(&mut batch, target, now)?;
        }
        self.unname(&mut batch, from)?;
        self.name(&mut batch, to.0, to.1, ino)?;
        self.touch(&mut batch, ino, now)?;
        self.touch_dir(&mut batch, from.0, now)?;
        self.touch_dir(&mut batch, to.0, now)?;
        self.finish(batch)?;
        target.map_or(Ok(()), |target| self.drop_if_unused(target))
    }

    fn require_replaceable(&self, ino: Ino, target: Option<Ino>) -> Result<()> {
        let Some(target) = target else { return Ok(()) };
        match (
            self.table.is_directory(ino),
            self.table.is_directory(target),
        ) {
            (true, true) => self.require_empty_dir(target),
            (true, false) => Err(Errno::NOTDIR),
            (false, true) => Err(Errno::ISDIR),
            (false, false) => Ok(()),
        }
    }

    fn exchange(&mut self, a: (At<'_>, Ino), b: (At<'_>, Ino)) -> Result<()> {
        self.require_movable(b.1, a.0.0)?;
        let now = Time::now();
        let mut batch = self.begin()?;
        self.unname(&mut batch, a.0)?;
        self.unname(&mut batch, b.0)?;
        self.name(&mut batch, a.0.0, a.0.1, b.1)?;
        self.name(&mut batch, b.0.0, b.0.1, a.1)?;
        for ino in [a.1, b.1] {
            self.touch(&mut batch, ino, now)?;
        }
        self.touch_dir(&mut batch, a.0.0, now)?;
        self.touch_dir(&mut batch, b.0.0, now)?;
        self.finish(batch)
    }
}
