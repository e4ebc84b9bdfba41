//! A tar archive as the source of an import: what [`export`](crate::export) writes, and what GNU
//! tar, bsdtar and star write (POSIX.1-2001 `pax`, utility *pax*; GNU tar manual, *Basic Tar Format*).

use super::{Imported, Importer, Incoming, What, at};
use crate::home::Home;
use crate::ids::Time;
use crate::medium::Medium;
use crate::record::Kind;
use std::collections::HashMap;
use std::io::{self, Read};

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
        let size = match extra.get(&b"size"[..]) {
            Some(size) => decimal(size).ok_or_else(damaged)?,
            None => number(&header[124..136]).ok_or_else(damaged)?,
        };
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
    let Some(incoming) = incoming(header, extra, size).ok_or_else(damaged)? else {
        return skip(from, size.next_multiple_of(BLOCK as u64));
    };
    let held = if matches!(incoming.what, What::File(_)) {
        size
    } else {
        0
    };
    let mut content = Content { from, left: held };
    take(&incoming, &mut content)?;
    let unread = content.left;
    let padded = size
        .checked_next_multiple_of(BLOCK as u64)
        .ok_or_else(damaged)?;
    skip(from, padded - held + unread)
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
    let path = said(b"path").cloned().unwrap_or_else(|| old_path(header));
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
        None => whole_seconds(number(&header[136..148])?)?,
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
    from.read_exact(&mut header)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => error,
        })?;
    if header.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    let blank: u64 = header[148..156].iter().map(|byte| u64::from(*byte)).sum();
    // The sum counts its own field as eight spaces.
    if number(&header[148..156]) == Some(sum - blank + 8 * 32) {
        Ok(Some(header))
    } else {
        Err(damaged())
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

/// The `length key=value` lines of a pax header, up to the first that is none.
fn pax(bytes: &[u8]) -> Extra {
    let (mut rest, mut extra) = (bytes, Extra::new());
    while let Some((line, after)) = pax_line(rest) {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
            break;
        };
        extra.insert(line[..equals].to_vec(), line[equals + 1..].to_vec());
        rest = after;
    }
    extra
}

fn pax_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let line = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    Some((line, &bytes[length..]))
}

/// The path of an old header: a prefix, only in POSIX's own format, and a name.
fn old_path(header: &[u8; BLOCK]) -> Vec<u8> {
    let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
    if header[257..263] != *b"ustar\0" || prefix.is_empty() {
        return name;
    }
    [&prefix[..], b"/", &name].concat()
}

/// Up to the first NUL.
fn text(field: &[u8]) -> Vec<u8> {
    let end = field.iter().position(|byte| *byte == 0);
    field[..end.unwrap_or(field.len())].to_vec()
}

/// A number in octal digits, or in GNU tar's base 256, marked by the first bit.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((0x80, rest)) = field.split_first() {
        let (high, low) = rest.split_at(rest.len().saturating_sub(8));
        let fits = high.iter().all(|byte| *byte == 0);
        let value = low.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        return fits.then_some(value);
    }
    let digits = field.trim_ascii_start();
    let digits = digits.split(|byte| matches!(byte, b' ' | 0)).next()?;
    digits.iter().try_fold(0u64, |sum, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        sum.checked_mul(8)?.checked_add(digit.into())
    })
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Seconds with any number of decimals, also before 1970.
fn time(value: &[u8]) -> Option<Time> {
    let value = std::str::from_utf8(value).ok()?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let digits: String = decimals
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let (seconds, nanos): (i64, u32) = (whole.parse().ok()?, digits.parse().ok()?);
    if !whole.starts_with('-') || nanos == 0 {
        return Some(Time { seconds, nanos });
    }
    Some(Time {
        seconds: seconds.checked_sub(1)?,
        nanos: 1_000_000_000 - nanos,
    })
}

fn whole_seconds(seconds: u64) -> Option<Time> {
    let seconds = i64::try_from(seconds).ok()?;
    Some(Time { seconds, nanos: 0 })
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "this is no tar archive, or a damaged one",
    )
}
