//! Records as bytes; the format is that of the [module above](super).

use super::{
    Inode, Kind, LOST_PATH_MAX, LOWER_NAME_MAX, Lower, Place, Print, Record, TARGET_MAX, Times,
    XATTR_MAX,
};
use crate::codec::{Reader, Writer};
use crate::ids::{Ino, Owner, Time};
use crate::names::NAME_MAX;

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
            Self::Group(number, name) => {
                write_ino(out, 10, Ino((*number).into()));
                out.blob(name.as_bytes());
            }
            Self::Lost { ino, since, path } => {
                write_ino(out, 11, *ino);
                out.i64(*since);
                out.blob(path);
            }
            Self::Found(ino) => write_ino(out, 12, *ino),
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
            10 => Self::Group(u32::try_from(ino.0).ok()?, from.text(NAME_MAX)?.to_owned()),
            11 => Self::Lost {
                ino,
                since: from.i64()?,
                path: from.blob(LOST_PATH_MAX)?.to_vec(),
            },
            12 => Self::Found(ino),
            _ => return None,
        })
    }

    /// Takes all records of `bytes`; `None` when any byte is left that is no record.
    #[must_use]
    pub fn read_all(bytes: &[u8]) -> Option<Vec<Self>> {
        Self::each(bytes).collect()
    }

    /// The records of `bytes` one by one; `None` for what is no record, and what follows it means nothing.
    pub fn each(bytes: &[u8]) -> impl Iterator<Item = Option<Self>> {
        let mut from = Reader::new(bytes);
        std::iter::from_fn(move || (!from.is_empty()).then(|| Self::read(&mut from)))
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

pub(super) const KINDS: [Kind; 7] = [
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
