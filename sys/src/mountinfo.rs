//! The mount table of this process, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{Read, Seek},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::PathBuf,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::{DevNum, Error, Result, error::Context};

const TABLE: &str = "/proc/self/mountinfo";

/// One mount, one line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Number of the mount; used again after it is gone.
    pub id: u64,
    /// Number of the mount it is mounted on. No line has this number when that mount lies outside
    /// of the root directory of this process.
    pub parent: u64,
    /// Device number of its files (`st_dev`); major 0 for filesystems without a block device.
    pub devnum: DevNum,
    /// Directory of the filesystem that is the root of the mount.
    pub root: PathBuf,
    /// Where it is mounted, as seen from the root directory of this process.
    pub mount_point: PathBuf,
    /// Options of this mount, separated by commas.
    pub options: OsString,
    /// Whether mounts below it propagate to other namespaces (`shared:`).
    pub shared: bool,
    /// Type of the filesystem, such as `overlay` or `fuse.sshfs`.
    pub fs_type: OsString,
    /// Source in the words of the filesystem, mostly a device node.
    pub source: OsString,
    /// Options of the filesystem, separated by commas; look them up with [`Mount::super_option`].
    pub super_options: OsString,
}

impl Mount {
    /// Value of an option of the filesystem, unescaped; empty for an option without a value.
    pub fn super_option(&self, name: &str) -> Option<OsString> {
        self.super_options_named(name).next()
    }

    /// Values of an option that may be given several times, such as `lowerdir+`.
    pub fn super_options_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = OsString> + 'a {
        let options = self.super_options.as_bytes().split(|&byte| byte == b',');
        options.filter_map(move |option| {
            let rest = option.strip_prefix(name.as_bytes())?;
            let value = if rest.is_empty() {
                rest
            } else {
                rest.strip_prefix(b"=")?
            };
            Some(OsString::from_vec(unescape(value)))
        })
    }

    /// Whether the mount or its filesystem refuses writes.
    pub fn read_only(&self) -> bool {
        self.made_read_only() || has_ro(&self.super_options)
    }

    /// Whether the mount was made to refuse writes: of a filesystem that is found damaged later only the
    /// filesystem does.
    pub fn made_read_only(&self) -> bool {
        has_ro(&self.options)
    }
}

fn has_ro(options: &OsStr) -> bool {
    let mut options = options.as_bytes().split(|&byte| byte == b',');
    options.any(|option| option == b"ro")
}

/// Reads a table in the format of the kernel.
pub fn parse(table: &[u8]) -> Result<Vec<Mount>> {
    let lines = table
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let malformed = || Error::invalid("mount table", String::from_utf8_lossy(line));
            parse_line(line).ok_or_else(malformed)
        })
        .collect()
}

/// The mounts this process can reach, in the order in which they were mounted.
pub fn read() -> Result<Vec<Mount>> {
    parse(&std::fs::read(TABLE).during(|| format!("read {TABLE}"))?)
}

/// Tells when the mount table changes.
///
/// The descriptor reports `POLLPRI` at each change; asking for it takes the news (proc(5)).
#[derive(Debug)]
pub struct Watch(File);

impl Watch {
    /// Watches the mount namespace of this process; changes from now on are reported.
    pub fn open() -> Result<Self> {
        Ok(Self(File::open(TABLE).during(|| format!("open {TABLE}"))?))
    }

    /// Waits for a change, for ever without a timeout. Returns whether there was one.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let mut fds = [PollFd::new(&self.0, PollFlags::PRI)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno).during(|| format!("watch {TABLE}")),
        }
    }

    /// The table as it is now.
    pub fn read(&mut self) -> Result<Vec<Mount>> {
        let what = || format!("read {TABLE}");
        let mut table = Vec::new();
        self.0.rewind().during(what)?;
        self.0.read_to_end(&mut table).during(what)?;
        parse(&table)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let devnum = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let root = PathBuf::from(unescaped(fields.next()?));
    let mount_point = PathBuf::from(unescaped(fields.next()?));
    let options = OsStr::from_bytes(fields.next()?).to_owned();
    let optional: Vec<_> = fields.by_ref().take_while(|&field| field != b"-").collect();
    Some(Mount {
        id,
        parent,
        devnum,
        root,
        mount_point,
        options,
        shared: optional.iter().any(|field| field.starts_with(b"shared:")),
        fs_type: unescaped(fields.next()?),
        source: unescaped(fields.next()?),
        super_options: OsStr::from_bytes(fields.next()?).to_owned(),
    })
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn unescaped(field: &[u8]) -> OsString {
    OsString::from_vec(unescape(field))
}

/// The kernel writes space, tab, newline and backslash as `\ooo`.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        match octal(rest) {
            Some(escaped) => {
                plain.push(escaped);
                rest = &rest[4..];
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

fn octal(text: &[u8]) -> Option<u8> {
    let [
        b'\\',
        high @ b'0'..=b'3',
        middle @ b'0'..=b'7',
        low @ b'0'..=b'7',
        ..,
    ] = text
    else {
        return None;
    };
    Some((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'))
}

#[cfg(test)]
mod tests;
