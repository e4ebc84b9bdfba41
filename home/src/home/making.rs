//! Making inodes, with their lower objects first.

use super::{Attributes, Errno, Home, Ino, Inode, Kind, Medium, OpenFile, Owner, Record, Result};
use super::{SplitFile, State, errno, new_inode, print};
use crate::medium::{Facts, MediumFile};
use crate::names;
use crate::record::{Lower, Place, Print, TARGET_MAX};
use crate::table::Table;
use std::sync::Arc;

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

/// A file on the medium that has just been made.
struct Made<M: Medium> {
    file: M::File,
    /// How it looked then.
    facts: Option<Facts>,
}

impl<M: Medium> Home<M> {
    /// Makes an inode called `name` in `dir`.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `ENOSPC`, `ENAMETOOLONG`, those of the medium.
    pub fn make(&self, dir: Ino, name: &[u8], node: &NewNode) -> Result<Attributes> {
        self.with_space(|| {
            let mut state = self.state_at([dir])?;
            let (ino, _) = self.make_in(&mut state, dir, name, node)?;
            self.attributes_in(&state, ino)
        })
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
        self.with_space(|| self.create_once(dir, name, node))
    }

    fn create_once(
        &self,
        dir: Ino,
        name: &[u8],
        node: &NewNode,
    ) -> Result<(Attributes, Arc<SplitFile<M::File>>)> {
        let mut state = self.state_at([dir])?;
        let (ino, made) = self.make_in(&mut state, dir, name, node)?;
        let Made { file, facts } = made.ok_or(Errno::INVAL)?;
        let part_size = self.medium.limits().part_size;
        let file = Arc::new(SplitFile::new(vec![file], part_size));
        let open = OpenFile {
            fresh: facts,
            ..OpenFile::new(Arc::clone(&file))
        };
        state.files.insert(ino, open);
        Ok((self.attributes_in(&state, ino)?, file))
    }

    fn make_in(
        &self,
        state: &mut State<M>,
        dir: Ino,
        name: &[u8],
        node: &NewNode,
    ) -> Result<(Ino, Option<Made<M>>)> {
        state.require_free(dir, name)?;
        let mut inode = self.inherit(state, dir, node)?;
        let mut batch = state.begin()?;
        if inode.group == Owner::Id(node.gid) {
            inode.group = state.group_to_keep(&mut batch, node.gid, &self.options)?;
        }
        let ino = state.table.next_ino();
        let alias = state.table.alias_for(dir, name);
        let lower = if node.kind.has_lower() {
            let wanted = Place {
                dir,
                name: alias.clone().unwrap_or_else(|| names::encode(name)),
            };
            Some(self.make_lower(state, ino, wanted, node.kind)?)
        } else {
            None
        };
        let now = inode.times.born;
        state.apply(&mut batch, Record::Inode(ino, inode))?;
        state.name_as(&mut batch, (dir, name), alias, ino)?;
        let mut file = None;
        if let Some((lower, made)) = lower {
            state.note_name(lower.place.dir);
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
        wanted: Place,
        kind: Kind,
    ) -> Result<(Lower, Option<Made<M>>)> {
        if state.is_free(&wanted) {
            match self.make_at(state, &wanted, kind) {
                // The medium dislikes the name, knows it already, or the directory is full or damaged.
                Err(error) => tracing::debug!(%error, "a lower file waits for its name"),
                Ok(made) => return Ok(made),
            }
        }
        self.make_at(state, &Table::waiting_place(ino), kind)
    }

    fn make_at(
        &self,
        state: &State<M>,
        place: &Place,
        kind: Kind,
    ) -> Result<(Lower, Option<Made<M>>)> {
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
            let facts = file.facts().ok();
            let print = facts.as_ref().map(print).unwrap_or_default();
            (Some(Made { file, facts }), print)
        };
        let lower = Lower {
            place: place.clone(),
            parts: 1,
            print: Print { size: 0, ..print },
        };
        Ok((lower, file))
    }
}
