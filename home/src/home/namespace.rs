//! Names: looking up, listing, linking, removing.

use super::batch::Batch;
use super::{Attributes, Errno, Home, Ino, Kind, Medium, Record, Result, State, Time};
use crate::names;
use crate::record::Place;

/// Deepest directory that takes new names: as deep as a path of `PATH_MAX` bytes can lead.
pub(super) const DEPTH_MAX: usize = 2048;

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
        let mut state = self.state_at([dir])?;
        let ino = state.find(dir, name)?;
        state.take_over_writes(ino)?;
        self.attributes_in(&state, ino)
    }

    /// Everything in `dir` besides `.` and `..`.
    ///
    /// # Errors
    /// `ENOTDIR`.
    pub fn list(&self, dir: Ino) -> Result<Vec<Listing>> {
        let state = self.state_at([dir])?;
        let entries = state.table.entries(dir).ok_or(Errno::NOTDIR)?;
        let listing = |(name, entry): (&crate::table::Name, &crate::table::Entry)| {
            let kind = state
                .table
                .inode(entry.ino)
                .map_or(Kind::File, |inode| inode.kind);
            Listing {
                name: name.to_vec(),
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

    /// Removes the name of anything but a directory.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`.
    pub fn unlink(&self, dir: Ino, name: &[u8]) -> Result<()> {
        self.with_space(|| self.unlink_once(dir, name))
    }

    fn unlink_once(&self, dir: Ino, name: &[u8]) -> Result<()> {
        let mut state = self.state_at([dir])?;
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
        self.with_space(|| self.remove_dir_once(dir, name))
    }

    fn remove_dir_once(&self, dir: Ino, name: &[u8]) -> Result<()> {
        let mut state = self.state_at([dir])?;
        let ino = state.find(dir, name)?;
        self.look_into(&mut state, ino)?;
        state.require_empty_dir(ino)?;
        state.remove(dir, name, ino)
    }

    /// Gives `ino` another name.
    ///
    /// # Errors
    /// `EEXIST`, `EPERM` for directories, `ENOENT` for an inode that lost its last name.
    pub fn link(&self, ino: Ino, dir: Ino, name: &[u8]) -> Result<Attributes> {
        let mut state = self.state_at([dir])?;
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
}

/// A directory and a name in it.
pub(super) type At<'a> = (Ino, &'a [u8]);

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
        let place = place.folded();
        !self.table.is_occupied(&place) && !self.vacated.contains(&place)
    }

    pub(super) fn require_free(&self, dir: Ino, name: &[u8]) -> Result<()> {
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
            (true, true) => self.require_nameable(dir, name),
        }
    }

    /// Before the first record of a change, which cannot be taken back.
    pub(super) fn require_nameable(&self, dir: Ino, name: &[u8]) -> Result<()> {
        if self.table.is_nameable(dir, name) {
            Ok(())
        } else {
            Err(Errno::EXIST)
        }
    }

    pub(super) fn require_empty_dir(&self, ino: Ino) -> Result<()> {
        let entries = self.table.entries(ino).ok_or(Errno::NOTDIR)?;
        if entries.is_empty() {
            Ok(())
        } else {
            Err(Errno::NOTEMPTY)
        }
    }

    pub(super) fn name(
        &mut self,
        batch: &mut Batch,
        dir: Ino,
        name: &[u8],
        ino: Ino,
    ) -> Result<()> {
        let alias = self.table.alias_for(dir, name);
        self.name_as(batch, (dir, name), alias, ino)
    }

    /// Gives `ino` a name, with the alias it needs.
    pub(super) fn name_as(
        &mut self,
        batch: &mut Batch,
        (dir, name): At<'_>,
        alias: Option<String>,
        ino: Ino,
    ) -> Result<()> {
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

    pub(super) fn unname(&mut self, batch: &mut Batch, (dir, name): At<'_>) -> Result<()> {
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
        let mut batch = self.begin_in_any_case()?;
        self.unname(&mut batch, (dir, name))?;
        self.touch(&mut batch, ino, now)?;
        self.touch_dir(&mut batch, dir, now)?;
        self.finish(batch)?;
        self.drop_if_unused(ino)
    }
}
