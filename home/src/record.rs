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
//!
//! Kinds: 1 directory, 2 file, 3 symlink, 4 fifo, 5 socket, 6 character device, 7 block device.
//! An unknown tag means metadata of a newer version and is refused, never skipped.

use crate::codec::{Reader, Writer};
use crate::ids::{Ino, Owner, Time};
use crate::names::{self, NAME_MAX};

/// Longest target of a symbolic link in bytes (`PATH_MAX` − 1).
pub const TARGET_MAX: usize = 4095;
/// Longest value of an extended attribute in bytes (`XATTR_SIZE_MAX`).
pub const XATTR_MAX: usize = 65536;
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
}

impl Record {
    /// Appends the record.
    pub fn write(&self, out: &mut Writer) {
        match self {
            Self::Inode(ino, inode) => {
                out.u8(1);
                out.u64(ino.0);
                write_inode(out, inode);
            }
            Self::InodeGone(ino) => write_ino(out, 2, *ino),
            Self::Entry {
                dir,
                name,
                ino,
                alias,
            } => {
                write_ino(out, 3, *dir);
                out.blob(name);
                out.u64(ino.0);
                out.blob(alias.as_deref().unwrap_or_default().as_bytes());
            }
            Self::EntryGone { dir, name } => {
                write_ino(out, 4, *dir);
                out.blob(name);
            }
            Self::Xattr(ino, name, value) => {
                write_ino(out, 5, *ino);
                out.blob(name);
                out.blob(value);
            }
            Self::XattrGone(ino, name) => {
                write_ino(out, 6, *ino);
                out.blob(name);
            }
            Self::Lower(ino, lower) => {
                write_ino(out, 7, *ino);
                write_lower(out, lower);
            }
            Self::LowerGone(ino) => write_ino(out, 8, *ino),
            Self::NextIno(ino) => write_ino(out, 9, *ino),
        }
    }

    /// Takes one record; `None` when the bytes are none.
    pub fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (tag, ino) = (from.u8()?, Ino(from.u64()?));
        Some(match tag {
            1 => Self::Inode(ino, read_inode(from)?),
            2 => Self::InodeGone(ino),
            3 => read_entry(from, ino)?,
            4 => Self::EntryGone {
                dir: ino,
                name: from.blob(NAME_MAX)?.to_vec(),
            },
            5 => Self::Xattr(
                ino,
                from.blob(NAME_MAX)?.to_vec(),
                from.blob(XATTR_MAX)?.to_vec(),
            ),
            6 => Self::XattrGone(ino, from.blob(NAME_MAX)?.to_vec()),
            7 => Self::Lower(ino, read_lower(from)?),
            8 => Self::LowerGone(ino),
            9 => Self::NextIno(ino),
            _ => return None,
        })
    }

    /// Takes all records of `bytes`; `None` when any byte is left that is no record.
    #[must_use]
    pub fn read_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let mut from = Reader::new(bytes);
        let mut records = Vec::new();
        while !from.is_empty() {
            records.push(Self::read(&mut from)?);
        }
        Some(records)
    }
}

fn write_ino(out: &mut Writer, tag: u8, ino: Ino) {
    out.u8(tag);
    out.u64(ino.0);
}

fn write_inode(out: &mut Writer, inode: &Inode) {
    out.u8(kind_to_byte(inode.kind));
    out.u16(inode.mode);
    write_owner(out, inode.owner);
    write_owner(out, inode.group);
    out.u32(inode.device);
    out.u64(inode.size);
    let Times {
        accessed,
        modified,
        changed,
        born,
    } = inode.times;
    for time in [accessed, modified, changed, born] {
        out.i64(time.seconds);
        out.u32(time.nanos);
    }
    out.blob(&inode.target);
}

fn read_inode(from: &mut Reader<'_>) -> Option<Inode> {
    Some(Inode {
        kind: kind_from_byte(from.u8()?)?,
        mode: from.u16().filter(|mode| *mode <= 0o7777)?,
        owner: read_owner(from)?,
        group: read_owner(from)?,
        device: from.u32()?,
        size: from.u64().filter(|size| i64::try_from(*size).is_ok())?,
        times: Times {
            accessed: read_time(from)?,
            modified: read_time(from)?,
            changed: read_time(from)?,
            born: read_time(from)?,
        },
        target: from.blob(TARGET_MAX)?.to_vec(),
    })
}

fn write_owner(out: &mut Writer, owner: Owner) {
    match owner {
        Owner::Me => (out.u8(0), out.u32(0)),
        Owner::Id(id) => (out.u8(1), out.u32(id)),
    };
}

fn read_owner(from: &mut Reader<'_>) -> Option<Owner> {
    match (from.u8()?, from.u32()?) {
        (0, _) => Some(Owner::Me),
        (1, id) => Some(Owner::Id(id)),
        _ => None,
    }
}

fn read_time(from: &mut Reader<'_>) -> Option<Time> {
    let seconds = from.i64()?;
    let nanos = from.u32().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Time { seconds, nanos })
}

fn read_entry(from: &mut Reader<'_>, dir: Ino) -> Option<Record> {
    let name = from.blob(NAME_MAX)?.to_vec();
    let ino = Ino(from.u64()?);
    let alias = from.text(LOWER_NAME_MAX)?;
    let alias = (!alias.is_empty()).then(|| alias.to_owned());
    Some(Record::Entry {
        dir,
        name,
        ino,
        alias,
    })
}

fn write_lower(out: &mut Writer, lower: &Lower) {
    out.u64(lower.place.dir.0);
    out.blob(lower.place.name.as_bytes());
    out.u16(lower.parts);
    out.u64(lower.print.size);
    out.i64(lower.print.modified);
    out.i64(lower.print.born);
}

fn read_lower(from: &mut Reader<'_>) -> Option<Lower> {
    Some(Lower {
        place: Place {
            dir: Ino(from.u64()?),
            name: from.text(LOWER_NAME_MAX)?.to_owned(),
        },
        parts: from.u16().filter(|parts| *parts >= 1)?,
        print: Print {
            size: from.u64()?,
            modified: from.i64()?,
            born: from.i64()?,
        },
    })
}

const KINDS: [Kind; 7] = [
    Kind::Directory,
    Kind::File,
    Kind::Symlink,
    Kind::Fifo,
    Kind::Socket,
    Kind::CharDevice,
    Kind::BlockDevice,
];

fn kind_to_byte(kind: Kind) -> u8 {
    (1..)
        .zip(KINDS)
        .find(|(_, k)| *k == kind)
        .map_or(0, |(byte, _)| byte)
}

fn kind_from_byte(byte: u8) -> Option<Kind> {
    KINDS.get(usize::from(byte).checked_sub(1)?).copied()
}

#[cfg(test)]
pub(crate) mod tests;
