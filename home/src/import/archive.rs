//! A tar archive as the source of an import: what [`export`](crate::export) writes, and what GNU
//! tar, bsdtar and star write (POSIX.1-2001 `pax`, utility *pax*; GNU tar manual, *Basic Tar Format*).

use super::making::read_full;
use super::{Imported, Importer, Incoming, What, at};
use crate::home::Home;
use crate::ids::Time;
use crate::medium::Medium;
use crate::record::Kind;
use std::collections::HashMap;
use std::io::{self, Read};

mod fields;

use fields::{decimal, number, pax, text, time};

const BLOCK: usize = 512;
/// Longest pax header or GNU long name taken; a file has at most 256 attributes of 64 KiB.
const EXTRA_MAX: u64 = 17 << 20;
/// Prefix of extended attributes in pax headers.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// Prefix of what GNU tar says of files with holes, whose content is not as it stands then.
const SPARSE: &[u8] = b"GNU.sparse.";

/// What pax headers and GNU long names say of the next member.
type Extra = HashMap<Vec<u8>, Vec<u8>>;

/// Brings everything in the archive `from` into `home`.
///
/// # Errors
/// `InvalidData` for what is no archive, those of reading and of the home.
pub fn import<M: Medium>(
    home: &Home<M>,
    from: &mut dyn Read,
    tell: &mut dyn FnMut(&Imported),
) -> io::Result<Imported> {
    let mut importer = Importer::new(home, tell);
    read(from, &mut |incoming, content| {
        let added = importer.add(incoming, content);
        added.map_err(|error| at(&incoming.path, &error))
    })?;
    importer.finish()
}

/// Calls `take` with each member and its content.
///
/// # Errors
/// `InvalidData` for what is no archive, those of reading and of `take`.
pub fn read(
    from: &mut dyn Read,
    take: &mut dyn FnMut(&Incoming, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let (mut extra, mut global) = (Extra::new(), Extra::new());
    while let Some(header) = next_header(from)? {
        let size: Option<i64> = match extra.get(&b"size"[..]) {
            Some(size) => decimal(size),
            None => number(&header[124..136]),
        };
        let size = size.and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or_else(damaged)?;
        match header[156] {
            b'x' => extra.extend(pax(&read_extra(from, size)?)),
            b'g' => global.extend(pax(&read_extra(from, size)?)),
            b'L' => drop(extra.insert(b"path".to_vec(), text(&read_extra(from, size)?))),
            b'K' => drop(extra.insert(b"linkpath".to_vec(), text(&read_extra(from, size)?))),
            _ => {
                let mut said = global.clone();
                said.extend(std::mem::take(&mut extra));
                member(from, &header, &said, size, take)?;
            }
        }
    }
    Ok(())
}

fn member(
    from: &mut dyn Read,
    header: &[u8; BLOCK],
    extra: &Extra,
    size: u64,
    take: &mut dyn FnMut(&Incoming, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let padded = size
        .checked_next_multiple_of(BLOCK as u64)
        .ok_or_else(damaged)?;
    let Some(incoming) = incoming(header, extra, size).ok_or_else(damaged)? else {
        return skip(from, padded);
    };
    skip_map(from, header)?;
    let held = if matches!(incoming.what, What::File(_)) {
        size
    } else {
        0
    };
    let mut content = Content { from, left: held };
    take(&incoming, &mut content)?;
    let unread = content.left;
    skip(from, padded - held + unread)
}

/// Where the holes of a file in GNU tar's own format are: what the header has no room for is in blocks
/// after it, which the size does not count (GNU tar manual, *Basic Tar Format*, `isextended`).
fn skip_map(from: &mut dyn Read, header: &[u8; BLOCK]) -> io::Result<()> {
    let mut goes_on = header[156] == b'S' && header[482] != 0;
    while goes_on {
        goes_on = read_extra(from, BLOCK as u64)?[504] != 0;
    }
    Ok(())
}

/// The content of a member, which does not end before it is complete.
struct Content<'a> {
    from: &'a mut dyn Read,
    left: u64,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut *self.from).take(self.left).read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// `None` for what is damaged, `Some(None)` for what is no object.
fn incoming(header: &[u8; BLOCK], extra: &Extra, size: u64) -> Option<Option<Incoming>> {
    let said = |key: &[u8]| extra.get(key);
    // A file with holes stands under another name, for those who know nothing of them.
    let path = said(b"GNU.sparse.name").or_else(|| said(b"path"));
    let path = path.cloned().unwrap_or_else(|| old_path(header));
    let link = said(b"linkpath")
        .cloned()
        .unwrap_or_else(|| text(&header[157..257]));
    let id = |key: &[u8], field: &[u8]| match said(key) {
        Some(value) => decimal(value),
        None => number(field),
    };
    let owner = (
        u32::try_from(id(b"uid", &header[108..116])?).ok()?,
        u32::try_from(id(b"gid", &header[116..124])?).ok()?,
    );
    let modified = match said(b"mtime") {
        Some(value) => time(value)?,
        None => Time {
            seconds: number(&header[136..148])?,
            nanos: 0,
        },
    };
    let device = || {
        let (major, minor) = (number(&header[329..337])?, number(&header[337..345])?);
        let device = rustix::fs::makedev(u32::try_from(major).ok()?, u32::try_from(minor).ok()?);
        Some(u32::try_from(device).unwrap_or(0))
    };
    let what = match header[156] {
        _ if extra.keys().any(|key| key.starts_with(SPARSE)) => What::Unknown,
        b'0' | 0 | b'7' => What::File(size),
        b'1' => What::HardLink(link),
        b'2' => What::Symlink(link),
        b'3' => What::Special(Kind::CharDevice, device()?),
        b'4' => What::Special(Kind::BlockDevice, device()?),
        b'5' => What::Directory,
        b'6' => What::Special(Kind::Fifo, 0),
        // The name of a volume.
        b'V' => return Some(None),
        _ => What::Unknown,
    };
    Some(Some(Incoming {
        path,
        what,
        mode: u16::try_from(number(&header[100..108])? & 0o7777).ok()?,
        owner,
        modified,
        accessed: said(b"atime").map_or(Some(modified), |value| time(value))?,
        xattrs: xattrs(extra),
    }))
}

fn xattrs(extra: &Extra) -> Vec<(Vec<u8>, Vec<u8>)> {
    let named = extra.iter().filter_map(|(key, value)| {
        let name = key.strip_prefix(XATTR)?;
        Some((name.to_vec(), value.clone()))
    });
    let mut xattrs: Vec<_> = named.collect();
    xattrs.sort();
    xattrs
}

/// The next header; `None` at the end of the archive.
fn next_header(from: &mut dyn Read) -> io::Result<Option<[u8; BLOCK]>> {
    let mut header = [0; BLOCK];
    let read = read_full(from, &mut header)?;
    if read < BLOCK {
        return Err(no_header(&header[..read]));
    }
    if header.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let sum: i64 = header.iter().map(|byte| i64::from(*byte)).sum();
    let blank: i64 = header[148..156].iter().map(|byte| i64::from(*byte)).sum();
    // The sum counts its own field as eight spaces.
    if number(&header[148..156]) == Some(sum - blank + 8 * 32) {
        Ok(Some(header))
    } else {
        Err(no_header(&header))
    }
}

fn read_extra(from: &mut dyn Read, size: u64) -> io::Result<Vec<u8>> {
    if size > EXTRA_MAX {
        return Err(damaged());
    }
    let mut bytes = Vec::new();
    let padded = size.next_multiple_of(BLOCK as u64);
    if from.take(padded).read_to_end(&mut bytes)? as u64 != padded {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    bytes.truncate(usize::try_from(size).unwrap_or(0));
    Ok(bytes)
}

fn skip(from: &mut dyn Read, count: u64) -> io::Result<()> {
    let skipped = io::copy(&mut from.take(count), &mut io::sink())?;
    if skipped == count {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// The path of an old header: a prefix, only in POSIX's own format, and a name.
fn old_path(header: &[u8; BLOCK]) -> Vec<u8> {
    let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
    if header[257..263] != *b"ustar\0" || prefix.is_empty() {
        return name;
    }
    [&prefix[..], b"/", &name].concat()
}

/// What is wrong with what stands where a header would be.
fn no_header(bytes: &[u8]) -> io::Error {
    const PACKERS: [(&[u8], &str); 4] = [
        (b"\x1f\x8b", "gzip"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
    ];
    let packer = PACKERS.iter().find(|(mark, _)| bytes.starts_with(mark));
    packer.map_or_else(damaged, |(_, packer)| {
        let advice = format!("this is compressed: unpack it with {packer} -d before");
        io::Error::new(io::ErrorKind::InvalidData, advice)
    })
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "this is no tar archive, or a damaged one",
    )
}
