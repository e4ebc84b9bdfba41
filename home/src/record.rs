//! Records: the only way the [table](crate::table) changes, and all that logs and checkpoints hold.
//!
//! # On the medium
//!
//! A record is a tag of one byte and its fields, little-endian, without padding. A *blob* is a
//! `u32` length and that many bytes; *text* is a blob of UTF-8; an *owner* is `u8` 0 (me) or 1 (id)
//! and a `u32` (0 for me); a *time* is `i64` seconds since 1970 and `u32` nanoseconds.
//!
//! | tag | record | fields |
//! |---|---|---|
//! | 1 | inode | ino `u64`, kind `u8`, mode `u16`, owner, group (an owner), device `u32`, size `u64`, times accessed, modified, changed, born, target blob |
//! | 2 | inode gone | ino `u64` |
//! | 3 | entry | directory `u64`, name blob, ino `u64`, alias text (empty: none) |
//! | 4 | entry gone | directory `u64`, name blob |
//! | 5 | xattr | ino `u64`, name blob, value blob |
//! | 6 | xattr gone | ino `u64`, name blob |
//! | 7 | lower | ino `u64`, directory `u64`, name text, parts `u16`, size `u64`, modified `i64`, born `i64` |
//! | 8 | lower gone | ino `u64` |
//! | 9 | next ino | ino `u64` |
//! | 10 | group | number `u64` below 2³², name text |
//! | 11 | lost | ino `u64`, since `i64`, path blob |
//! | 12 | found | ino `u64` |
//!
//! Kinds: 1 directory, 2 file, 3 symlink, 4 fifo, 5 socket, 6 character device, 7 block device.
//! An unknown tag means metadata of a newer version and is refused, never skipped.

use crate::ids::{Ino, Owner, Time};
use crate::names;

/// Longest target of a symbolic link in bytes (`PATH_MAX` − 1).
pub const TARGET_MAX: usize = 4095;
/// Longest value of an extended attribute in bytes (`XATTR_SIZE_MAX`).
pub const XATTR_MAX: usize = 65536;
/// Longest path of an inode that is lost, in bytes; of deeper ones no more is known.
pub const LOST_PATH_MAX: usize = 32 << 10;
/// Longest lower name in bytes: 255 UTF-16 units of three bytes each.
pub const LOWER_NAME_MAX: usize = 765;

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A directory; has a lower directory.
    Directory,
    /// A regular file; has a lower file.
    File,
    /// A symbolic link; metadata only, like all that follow.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
    /// A character device (never usable: mounts are `nodev`).
    CharDevice,
    /// A block device (never usable: mounts are `nodev`).
    BlockDevice,
}

impl Kind {
    /// Whether something on the medium stands for such an inode.
    #[must_use]
    pub fn has_lower(self) -> bool {
        matches!(self, Self::Directory | Self::File)
    }
}

/// The four times of an inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Last read, as far as set explicitly.
    pub accessed: Time,
    /// Last change of content.
    pub modified: Time,
    /// Last change of anything.
    pub changed: Time,
    /// Creation.
    pub born: Time,
}

/// Everything an inode is besides its names, extended attributes and lower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// What it is; never changes.
    pub kind: Kind,
    /// Permission bits with set-uid, set-gid and sticky: twelve bits.
    pub mode: u16,
    /// Owning user.
    pub owner: Owner,
    /// Owning group.
    pub group: Owner,
    /// Device number of device inodes, else 0.
    pub device: u32,
    /// Length in bytes; may exceed what the lower file holds, the rest reads as zeros.
    pub size: u64,
    /// Times.
    pub times: Times,
    /// Target of a symbolic link, else empty.
    pub target: Vec<u8>,
}

/// A place on the medium: a directory of ours and a lower name in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// A directory inode, or [`Ino::TMP`].
    pub dir: Ino,
    /// One path component.
    pub name: String,
}

impl Place {
    /// The place as FAT compares it.
    #[must_use]
    pub fn folded(&self) -> Self {
        Self {
            dir: self.dir,
            name: names::fold(&self.name),
        }
    }
}

/// What a lower file looked like when we last closed it; differences mean a stranger's edit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Print {
    /// Bytes in all parts.
    pub size: u64,
    /// Modification time in seconds.
    pub modified: i64,
    /// Creation time in seconds, 0 if the medium knows none.
    pub born: i64,
}

/// The lower object of a directory or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lower {
    /// Where it is.
    pub place: Place,
    /// Number of parts; 1 unless the file is longer than the medium takes in one piece.
    pub parts: u16,
    /// What it looked like.
    pub print: Print,
}

/// One change of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A new inode, or new attributes of one.
    Inode(Ino, Inode),
    /// An inode without names is no more; its lower, if any, is to be deleted.
    InodeGone(Ino),
    /// A name in a directory.
    Entry {
        /// Directory.
        dir: Ino,
        /// Name in it.
        name: Vec<u8>,
        /// What it names.
        ino: Ino,
        /// Lower name when it is not the plain encoding of the name.
        alias: Option<String>,
    },
    /// A name is no more.
    EntryGone {
        /// Directory.
        dir: Ino,
        /// Name in it.
        name: Vec<u8>,
    },
    /// An extended attribute has this value now.
    Xattr(Ino, Vec<u8>, Vec<u8>),
    /// An extended attribute is no more.
    XattrGone(Ino, Vec<u8>),
    /// The lower of an inode is this now.
    Lower(Ino, Lower),
    /// The lower of an inode is no more.
    LowerGone(Ino),
    /// Inode numbers below this are used up.
    NextIno(Ino),
    /// Inodes of group [`Owner::Id`] with this number belong to the group of this name, whatever
    /// its number on the machine at hand.
    Group(u32, String),
    /// An inode without names whose lower a stranger took away: kept for a while, should it return.
    Lost {
        /// The inode, which is none until it is found.
        ino: Ino,
        /// When that was noticed, in seconds since 1970.
        since: i64,
        /// Its first name from the root of the home, without a leading `/`.
        path: Vec<u8>,
    },
    /// A lost inode is back, still without names.
    Found(Ino),
}

mod wire;

#[cfg(test)]
pub(crate) mod tests;
