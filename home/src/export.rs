//! Writing the whole home as a tar archive (POSIX.1-2001 `pax`, pubs.opengroup.org, utility *pax*).
//!
//! Everything a home holds is in it: modes, owners, links, nanosecond times, extended attributes
//! (as `SCHILY.xattr.`, which GNU tar, bsdtar and star read). Sockets are left out, as tar does.

use crate::home::{Attributes, Visited};
use crate::ids::{Ino, Time};
use crate::record::Kind;
use crate::tree::Tree;
use std::collections::HashMap;
use std::io::{self, Read as _, Write};

const BLOCK: usize = 512;
const CHUNK: usize = 1 << 20;

/// What an archive has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Exported {
    /// Names in it.
    pub names: u64,
    /// Sockets that are not.
    pub sockets_left_out: u64,
}

/// Writes everything in a home to `out`. `tell` hears of each name how many there are so far and how
/// many bytes.
///
/// # Errors
/// Those of reading the medium and of `out`.
pub fn export(
    home: &dyn Tree,
    out: &mut impl Write,
    tell: &mut dyn FnMut(u64, u64),
) -> io::Result<Exported> {
    let mut first_names: HashMap<Ino, Vec<u8>> = HashMap::new();
    let (mut exported, mut bytes) = (Exported::default(), 0);
    home.visit(&mut |visited| {
        let Attributes {
            ino, kind, links, ..
        } = visited.attributes;
        let path = archive_path(visited);
        let earlier = first_names.get(&ino).filter(|_| kind != Kind::Directory);
        match (kind, earlier) {
            (Kind::Socket, _) => {
                exported.sockets_left_out += 1;
                return Ok(());
            }
            (_, Some(earlier)) => write_header(home, out, visited, (b'1', earlier))?,
            (Kind::Symlink, None) => {
                write_header(home, out, visited, (b'2', &home.target(visited)?))?;
            }
            _ => write_header(home, out, visited, (type_flag(kind), b""))?,
        }
        if kind == Kind::File && earlier.is_none() {
            write_content(home, out, visited)?;
            bytes += visited.attributes.size;
        }
        if links > 1 && kind != Kind::Directory {
            first_names.entry(ino).or_insert(path);
        }
        exported.names += 1;
        tell(exported.names, bytes);
        Ok(())
    })?;
    out.write_all(&[0; 2 * BLOCK])?;
    out.flush()?;
    Ok(exported)
}

fn archive_path(visited: &Visited) -> Vec<u8> {
    match visited.path.as_slice() {
        b"" => b"./".to_vec(),
        path if visited.attributes.kind == Kind::Directory => [b"./", path, b"/"].concat(),
        path => [b"./", path].concat(),
    }
}

fn type_flag(kind: Kind) -> u8 {
    match kind {
        Kind::CharDevice => b'3',
        Kind::BlockDevice => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
        _ => b'0',
    }
}

fn write_header(
    home: &dyn Tree,
    out: &mut impl Write,
    visited: &Visited,
    (flag, link): (u8, &[u8]),
) -> io::Result<()> {
    let a = &visited.attributes;
    let size = if flag == b'0' { a.size } else { 0 };
    let path = archive_path(visited);
    let mut pax = Vec::new();
    add_pax(&mut pax, b"path", &path);
    if !link.is_empty() {
        add_pax(&mut pax, b"linkpath", link);
    }
    add_pax(&mut pax, b"size", size.to_string().as_bytes());
    add_pax(&mut pax, b"mtime", time(a.times.modified).as_bytes());
    add_pax(&mut pax, b"atime", time(a.times.accessed).as_bytes());
    add_pax(&mut pax, b"uid", a.uid.to_string().as_bytes());
    add_pax(&mut pax, b"gid", a.gid.to_string().as_bytes());
    for (name, value) in home.xattrs(visited)? {
        add_pax(&mut pax, &[b"SCHILY.xattr.", &name[..]].concat(), &value);
    }
    out.write_all(&ustar(b"./PaxHeaders/x", b"", b'x', pax.len() as u64, a))?;
    write_padded(out, &pax)?;
    out.write_all(&ustar(&path, link, flag, size, a))
}

/// Seconds with decimals. Ours count forward from whole seconds, also before 1970.
fn time(time: Time) -> String {
    if time.seconds < 0 && time.nanos > 0 {
        format!("-{}.{:09}", -(time.seconds + 1), 1_000_000_000 - time.nanos)
    } else {
        format!("{}.{:09}", time.seconds, time.nanos)
    }
}

/// One `length key=value` line; the length counts its own digits.
fn add_pax(pax: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    pax.extend(length.to_string().as_bytes());
    pax.push(b' ');
    pax.extend(key);
    pax.push(b'=');
    pax.extend(value);
    pax.push(b'\n');
}

/// The old header; what does not fit stands in the pax header before it.
fn ustar(path: &[u8], link: &[u8], flag: u8, size: u64, a: &Attributes) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    put(&mut header[..100], &path[..path.len().min(99)]);
    put_octal(&mut header[100..108], u64::from(a.mode));
    put_octal(&mut header[108..116], u64::from(a.uid));
    put_octal(&mut header[116..124], u64::from(a.gid));
    put_octal(&mut header[124..136], size);
    put_octal(
        &mut header[136..148],
        a.times.modified.seconds.try_into().unwrap_or(0),
    );
    put(&mut header[148..156], b"        ");
    header[156] = flag;
    put(&mut header[157..257], &link[..link.len().min(99)]);
    put(&mut header[257..265], b"ustar\x0000");
    if matches!(flag, b'3' | b'4') {
        let device = u64::from(a.device);
        put_octal(&mut header[329..337], rustix::fs::major(device).into());
        put_octal(&mut header[337..345], rustix::fs::minor(device).into());
    }
    let sum: u64 = header.iter().map(|b| u64::from(*b)).sum();
    put(&mut header[148..156], format!("{sum:06o}\0 ").as_bytes());
    header
}

fn put(field: &mut [u8], value: &[u8]) {
    field[..value.len()].copy_from_slice(value);
}

/// Octal digits and a NUL; too large a number leaves zero, the pax header has it.
fn put_octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let text = format!("{value:0digits$o}");
    let text = if text.len() > digits {
        "0".repeat(digits)
    } else {
        text
    };
    put(field, text.as_bytes());
}

fn write_content(home: &dyn Tree, out: &mut impl Write, file: &Visited) -> io::Result<()> {
    let size = file.attributes.size;
    let mut content = home.content(file)?.take(size);
    let mut left = size;
    let mut buffer = vec![0; CHUNK];
    while left > 0 {
        let count = content.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.write_all(&buffer[..count])?;
        left -= count as u64;
    }
    pad(out, size)
}

fn write_padded(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    pad(out, bytes.len() as u64)
}

fn pad(out: &mut impl Write, length: u64) -> io::Result<()> {
    let rest = usize::try_from(length % BLOCK as u64).unwrap_or(0);
    out.write_all(&[0; BLOCK][..(BLOCK - rest) % BLOCK])
}
