//! Attributes: reading and changing them, symbolic links' targets, extended attributes.

use super::{Errno, Home, Ino, Inode, Kind, Medium, Owner, Record, Result, State, Time, Times};
use crate::acl;
use crate::names::NAME_MAX;
use crate::record::XATTR_MAX;

/// Most extended attributes of one inode, so one file cannot fill the memory.
const XATTRS_MAX: usize = 256;
/// Namespaces we show. ACLs (`system.`) are refused because nothing would enforce them; those that came
/// with a file are [kept](Home::keep_xattr) for where they hold.
const XATTR_SPACES: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];
/// Never kept: where SELinux is in force it labels a FUSE mount as a whole and refuses others by
/// itself. Refused here as well, so that ls(1) asks once and not for each file.
const SELINUX: &[u8] = b"security.selinux";
/// What a program may do beyond its user's rights.
const CAPABILITY: &[u8] = b"security.capability";

/// The attributes of an inode as this machine sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Inode number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Device number of devices.
    pub device: u32,
    /// Bytes.
    pub size: u64,
    /// Number of names.
    pub links: u32,
    /// Times.
    pub times: Times,
    /// Whether nothing but our operations can change them, so they may be cached.
    pub stable: bool,
}

/// A change of attributes; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// Permission bits.
    pub mode: Option<u16>,
    /// Owning user.
    pub uid: Option<u32>,
    /// Owning group.
    pub gid: Option<u32>,
    /// Length in bytes.
    pub size: Option<u64>,
    /// Last read.
    pub accessed: Option<Time>,
    /// Last change of content.
    pub modified: Option<Time>,
    /// Take the set-ID bits away, as a write without privilege does.
    pub drop_set_ids: bool,
}

impl Change {
    /// The permission bits afterwards: a new owner takes the set-ID bits of a program away, as in
    /// the kernel's own filesystems (`chown_common` in linux/fs/open.c).
    fn mode_after(&self, inode: &Inode) -> u16 {
        let owned = self.uid.or(self.gid).is_some() && inode.kind != Kind::Directory;
        match self.mode {
            Some(mode) => mode & 0o7777,
            None if owned || self.drop_set_ids => without_set_ids(inode.mode),
            None => inode.mode,
        }
    }
}

/// What setxattr(2) does about an attribute that exists or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetXattr {
    /// Nothing special.
    Any,
    /// `XATTR_CREATE`: fails with `EEXIST`.
    Create,
    /// `XATTR_REPLACE`: fails with `ENODATA`.
    Replace,
}

impl<M: Medium> Home<M> {
    /// The attributes of `ino`.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn attributes(&self, ino: Ino) -> Result<Attributes> {
        let mut state = self.state();
        state.take_over_writes(ino)?;
        self.attributes_in(&state, ino)
    }

    /// Changes attributes and says what they are then.
    ///
    /// # Errors
    /// `ENOENT`; for a size also `EINVAL`, `EISDIR`, `EFBIG` and those of the medium.
    pub fn change(&self, ino: Ino, change: &Change) -> Result<Attributes> {
        if let Some(size) = change.size {
            self.resize(ino, size)?;
        }
        let mut state = self.state();
        state.take_over_writes(ino)?;
        let now = Time::now();
        let me = self.options;
        let mut batch = state.begin()?;
        let group = match change.gid {
            Some(gid) => Some(state.group_to_keep(&mut batch, gid, &me)?),
            None => None,
        };
        state.apply_inode(&mut batch, ino, |inode| {
            inode.mode = change.mode_after(inode);
            inode.owner = change
                .uid
                .map_or(inode.owner, |uid| Owner::from_id(uid, me.uid));
            inode.group = group.unwrap_or(inode.group);
            let times = &mut inode.times;
            let written = change.size.map(|_| now);
            times.modified = change.modified.or(written).unwrap_or(times.modified);
            times.accessed = change.accessed.unwrap_or(times.accessed);
            times.changed = now;
        })?;
        state.finish(batch)?;
        self.attributes_in(&state, ino)
    }

    /// Takes away what lets others act with more rights than their own, as a write without privilege
    /// does: set-ID bits and capabilities.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn drop_privileges(&self, ino: Ino) -> Result<()> {
        let mut state = self.state();
        let inode = state.table.inode(ino).ok_or(Errno::NOENT)?;
        let mode = without_set_ids(inode.mode);
        let xattrs = state.table.xattrs(ino).ok_or(Errno::NOENT)?;
        let capable = xattrs.contains_key(CAPABILITY);
        if mode == inode.mode && !capable {
            return Ok(());
        }
        let mut batch = state.begin()?;
        if capable {
            state.apply(&mut batch, Record::XattrGone(ino, CAPABILITY.to_vec()))?;
        }
        state.apply_inode(&mut batch, ino, |inode| inode.mode = mode)?;
        state.touch(&mut batch, ino, Time::now())?;
        state.finish(batch)
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// `ENOENT`, `EINVAL` for anything else.
    pub fn read_link(&self, ino: Ino) -> Result<Vec<u8>> {
        let state = self.state();
        let inode = state.table.inode(ino).ok_or(Errno::NOENT)?;
        if inode.kind != Kind::Symlink {
            return Err(Errno::INVAL);
        }
        Ok(inode.target.clone())
    }

    /// The value of an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP`.
    pub fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        check_xattr_name(name)?;
        let state = self.state();
        let xattrs = state.table.xattrs(ino).ok_or(Errno::NOENT)?;
        xattrs.get(name).cloned().ok_or(Errno::NODATA)
    }

    /// The names of all extended attributes, each ended by a NUL.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn xattr_names(&self, ino: Ino) -> Result<Vec<u8>> {
        let state = self.state();
        let xattrs = state.table.xattrs(ino).ok_or(Errno::NOENT)?;
        let shown = xattrs.keys().filter(|name| is_shown(name));
        Ok(shown
            .flat_map(|name| name.iter().copied().chain([0]))
            .collect())
    }

    /// All extended attributes, with the access control lists that are kept out of sight.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn kept_xattrs(&self, ino: Ino) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let state = self.state();
        let xattrs = state.table.xattrs(ino).ok_or(Errno::NOENT)?;
        let kept = xattrs
            .iter()
            .filter(|(name, _)| is_shown(name) || acl::is_list(name));
        Ok(kept
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect())
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// Those of setxattr(2).
    pub fn set_xattr(&self, ino: Ino, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        check_xattr_name(name)?;
        self.put_xattr(ino, name, value, how)
    }

    /// Sets an extended attribute that came with a file from elsewhere: access control lists as well.
    ///
    /// # Errors
    /// Those of setxattr(2).
    pub fn keep_xattr(&self, ino: Ino, name: &[u8], value: &[u8]) -> Result<()> {
        if !acl::is_list(name) {
            check_xattr_name(name)?;
        }
        self.put_xattr(ino, name, value, SetXattr::Any)
    }

    fn put_xattr(&self, ino: Ino, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        if value.len() > XATTR_MAX {
            return Err(Errno::TOOBIG);
        }
        let mut state = self.state();
        let xattrs = state.table.xattrs(ino).ok_or(Errno::NOENT)?;
        match (xattrs.contains_key(name), how) {
            (true, SetXattr::Create) => return Err(Errno::EXIST),
            (false, SetXattr::Replace) => return Err(Errno::NODATA),
            (false, _) if xattrs.len() >= XATTRS_MAX => return Err(Errno::NOSPC),
            _ => {}
        }
        state.change_xattr(ino, Record::Xattr(ino, name.to_vec(), value.to_vec()))
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP`.
    pub fn remove_xattr(&self, ino: Ino, name: &[u8]) -> Result<()> {
        self.xattr(ino, name)?;
        self.state()
            .change_xattr(ino, Record::XattrGone(ino, name.to_vec()))
    }

    /// Notes that the kernel refers to `ino` once more.
    pub fn hold(&self, ino: Ino) {
        *self.state().held.entry(ino).or_default() += 1;
    }

    /// Notes that the kernel has dropped `count` references to `ino`.
    pub fn forget(&self, ino: Ino, count: u64) {
        let mut state = self.state();
        let Some(held) = state.held.get_mut(&ino) else {
            return;
        };
        *held = held.saturating_sub(count);
        if *held == 0 {
            state.held.remove(&ino);
            if let Err(error) = state.drop_soon(ino) {
                tracing::warn!(?ino, %error, "a removed file stays on the medium until the next use");
            }
        }
    }

    pub(super) fn attributes_in(&self, state: &State<M>, ino: Ino) -> Result<Attributes> {
        let inode = state.table.inode(ino).ok_or(Errno::NOENT)?;
        Ok(Attributes {
            ino,
            kind: inode.kind,
            mode: inode.mode,
            uid: inode.owner.to_id(self.options.uid),
            gid: state.groups.here(inode.group, self.options.gid),
            device: inode.device,
            size: inode.size,
            links: state.table.links(ino),
            times: inode.times,
            stable: !state.files.get(&ino).is_some_and(|file| file.unseen)
                && !state.unseen.contains(ino),
        })
    }
}

impl<M: Medium> State<M> {
    fn change_xattr(&mut self, ino: Ino, record: Record) -> Result<()> {
        let mut batch = self.begin()?;
        self.apply(&mut batch, record)?;
        self.touch(&mut batch, ino, Time::now())?;
        self.finish(batch)
    }
}

fn check_xattr_name(name: &[u8]) -> Result<()> {
    if name.len() > NAME_MAX {
        return Err(Errno::RANGE);
    }
    if is_shown(name) {
        Ok(())
    } else {
        Err(Errno::OPNOTSUPP)
    }
}

fn is_shown(name: &[u8]) -> bool {
    let known = XATTR_SPACES.iter().any(|space| name.starts_with(space));
    known && name != SELINUX
}

/// The permission bits `mode` without set-user-ID, and without set-group-ID unless the group may not
/// execute: then it is a mark for mandatory locks.
fn without_set_ids(mode: u16) -> u16 {
    let group = if mode & 0o010 == 0 { 0 } else { 0o2000 };
    mode & !(0o4000 | group)
}
