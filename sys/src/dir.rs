//! Files below an open directory.
//!
//! A path is always relative to a directory descriptor and can neither leave it nor pass through
//! a symbolic link, so that nobody who controls a medium can lead us elsewhere. Files are replaced
//! as a whole: at every instant the old or the new content is there.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fchmod, fstat, fsync, mkdirat, openat2,
        renameat, symlinkat, unlinkat,
    },
    io::Errno,
};

use crate::{Error, Result, block::proc_path, error::Context};

/// More entries than any directory of ours has; a medium with more is not read into memory.
const MOST_ENTRIES: usize = 1 << 16;

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name, in the bytes the filesystem holds.
    pub name: OsString,
    /// Kind; [`FileType::Unknown`] where the filesystem does not say.
    pub kind: FileType,
}

/// Opens `path` below `dir`, refusing symbolic links, `..` beyond `dir` and magic links
/// (openat2(2): `RESOLVE_BENEATH`, `RESOLVE_NO_SYMLINKS`, `RESOLVE_NO_MAGICLINKS`).
///
/// The descriptor is closed on exec, and a FIFO does not block the open. New files get mode 0600.
pub fn open_beneath(dir: impl AsFd, path: impl AsRef<Path>, flags: OFlags) -> Result<OwnedFd> {
    let path = path.as_ref();
    openat2(
        dir,
        path,
        flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY,
        if flags.contains(OFlags::CREATE) {
            Mode::from(0o600)
        } else {
            Mode::empty()
        },
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
    .during(|| format!("open {}", path.display()))
}

/// Where `path` below `dir` really is, its symbolic links followed, as a path without any.
///
/// An absolute link starts at `dir` again, as for a process that has `dir` as its root directory.
pub fn real_path(dir: impl AsFd, path: impl AsRef<Path>) -> Result<PathBuf> {
    let (dir, path) = (dir.as_fd(), path.as_ref());
    let what = || format!("resolve {}", path.display());
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = openat2(dir, path, flags, Mode::empty(), resolve).during(what)?;
    let top = std::fs::read_link(proc_path(dir)).during(what)?;
    let real = std::fs::read_link(proc_path(found.as_fd())).during(what)?;
    let outside = |_| Error::invalid(path.display().to_string(), "lies on another mount");
    Ok(real.strip_prefix(top).map_err(outside)?.to_owned())
}

/// Reads a regular file of at most `max` bytes; [`Error::TooLarge`] beyond.
pub fn read_small(dir: impl AsFd, name: impl AsRef<Path>, max: usize) -> Result<Vec<u8>> {
    let name = name.as_ref();
    let what = || format!("read {}", name.display());
    let fd = open_beneath(dir, name, OFlags::RDONLY)?;
    let stat = fstat(&fd).during(what)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Error::invalid(
            name.display().to_string(),
            "not a regular file",
        ));
    }
    let mut bytes = Vec::new();
    File::from(fd)
        .take(max as u64 + 1)
        .read_to_end(&mut bytes)
        .during(what)?;
    if bytes.len() > max {
        return Err(Error::TooLarge {
            what: name.display().to_string(),
            limit: max,
        });
    }
    Ok(bytes)
}

/// Replaces the file `name` in `dir` by one with exactly these bytes and permission bits.
///
/// After an interruption at any instant the old or the new file is there, never a part; what may
/// be left beside it is one file `.<name>.new`, which the next call removes. Durable on return.
pub fn write_atomic(
    dir: impl AsFd,
    name: impl AsRef<OsStr>,
    bytes: &[u8],
    mode: u32,
) -> Result<()> {
    let (dir, name) = (dir.as_fd(), name.as_ref());
    let what = || format!("write {}", name.display());
    replace(dir, name, |temporary| {
        let fd = open_beneath(
            dir,
            temporary,
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
        )?;
        let mut file = File::from(fd);
        std::io::Write::write_all(&mut file, bytes).during(what)?;
        fchmod(&file, Mode::from_raw_mode(mode)).during(what)?;
        fsync(&file).during(what)?;
        Ok(Some(file))
    })
}

/// Replaces whatever non-directory is at `name` in `dir` by a symbolic link to `target`, in one
/// rename. Durable on return.
pub fn symlink_atomic(
    dir: impl AsFd,
    name: impl AsRef<OsStr>,
    target: impl AsRef<Path>,
) -> Result<()> {
    let (dir, name, target) = (dir.as_fd(), name.as_ref(), target.as_ref());
    replace(dir, name, |temporary| {
        symlinkat(target, dir, temporary).during(|| format!("link {}", name.display()))?;
        Ok(None)
    })
}

/// The entries of `dir` in order of their names, without `.` and `..`.
pub fn entries(dir: impl AsFd) -> Result<Vec<Entry>> {
    let what = || "list a directory".to_owned();
    let mut found = Vec::new();
    for entry in Dir::read_from(dir).during(what)? {
        let entry = entry.during(what)?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        if found.len() == MOST_ENTRIES {
            return Err(Error::TooLarge {
                what: "a directory".into(),
                limit: MOST_ENTRIES,
            });
        }
        found.push(Entry {
            name: OsString::from_vec(name.to_vec()),
            kind: entry.file_type(),
        });
    }
    found.sort_unstable_by(|a: &Entry, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Opens the directory `path` below `dir`, making each missing component with permission bits
/// `mode`. What it makes is durable on return.
pub fn make_dir(dir: impl AsFd, path: impl AsRef<Path>, mode: u32) -> Result<OwnedFd> {
    let path = path.as_ref();
    let mut here = open_beneath(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY)?;
    for component in path.components() {
        here = match component {
            Component::Normal(name) => enter(here.as_fd(), name, mode)?,
            Component::CurDir => continue,
            _ => {
                return Err(Error::invalid(
                    path.display().to_string(),
                    "leads out of its directory",
                ));
            }
        };
    }
    Ok(here)
}

fn enter(parent: BorrowedFd<'_>, name: &OsStr, mode: u32) -> Result<OwnedFd> {
    let what = || format!("make directory {}", name.display());
    let made = match mkdirat(parent, name, Mode::from(0o700)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(errno).during(what),
    };
    let child = open_beneath(parent, Path::new(name), OFlags::RDONLY | OFlags::DIRECTORY)?;
    if made {
        // The umask took part in mkdir, so the mode is set here.
        fchmod(&child, Mode::from_raw_mode(mode)).during(what)?;
        fsync(&child).during(what)?;
        fsync(parent).during(what)?;
    }
    Ok(child)
}

/// Lets `make` create something under a temporary name and renames it to `name`. A file it returns is
/// synced again: on FAT its size and its data stand with its name, and the new name has none of them
/// until then (`vfat_rename` in Linux, fs/fat/namei_vfat.c).
fn replace(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    make: impl FnOnce(&OsStr) -> Result<Option<File>>,
) -> Result<()> {
    let what = || format!("replace {}", name.display());
    let temporary = temporary_name(name)?;
    remove(dir, &temporary)?;
    let renamed = make(&temporary).and_then(|made| {
        renameat(dir, &temporary, dir, name).during(what)?;
        Ok(made)
    });
    if renamed.is_err() {
        // The first error is the one to report; a file left behind is removed by the next call.
        let _ = remove(dir, &temporary);
    }
    if let Some(file) = renamed? {
        fsync(&file).during(what)?;
    }
    fsync(dir).during(what)
}

fn remove(dir: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno).during(|| format!("remove {}", name.display())),
    }
}

fn temporary_name(name: &OsStr) -> Result<OsString> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.contains(&b'/') || bytes == b"." || bytes == b".." {
        return Err(Error::invalid(
            name.display().to_string(),
            "not the name of a file",
        ));
    }
    Ok(OsString::from_vec([b".", bytes, b".new"].concat()))
}

#[cfg(test)]
mod tests;
