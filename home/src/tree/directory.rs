//! A mounted filesystem as a tree: the home in an image.
//!
//! Symbolic links are never followed and other filesystems below are not entered.

use super::{Tree, Xattr};
use crate::home::{Attributes, Visited};
use crate::ids::{Ino, Time};
use crate::record::{Kind, Times, XATTR_MAX};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, StatxFlags};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

/// Longest list of names of extended attributes taken (`XATTR_LIST_MAX`).
const XATTR_LIST_MAX: usize = 65536;
/// One with a value longer than a home of files holds.
const VALUE_MAX: usize = XATTR_MAX;

/// See the [module](self).
#[derive(Debug)]
pub struct DirectoryTree {
    top: OwnedFd,
    /// Numbers of the owner of the top and of their group.
    mine: (u32, u32),
    /// What is shown in their place.
    shown: (u32, u32),
}

impl DirectoryTree {
    /// The tree at `top`, whose owner appears as user and group `shown`.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn new(top: impl AsFd, shown: (u32, u32)) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = fs::openat(top, ".", flags, Mode::empty())?;
        let stat = fs::fstat(&top)?;
        Ok(Self {
            top,
            mine: (stat.st_uid, stat.st_gid),
            shown,
        })
    }

    fn open(&self, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let path = if path.is_empty() { b"." } else { path };
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat2(&self.top, path, flags, Mode::empty(), resolve)?)
    }

    fn visited(&self, path: Vec<u8>) -> io::Result<Visited> {
        let object = self.open(&path, OFlags::PATH)?;
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        let stat = fs::statx(object, "", AtFlags::EMPTY_PATH, wanted)?;
        let time = |time: &fs::StatxTimestamp| Time {
            seconds: time.tv_sec,
            nanos: time.tv_nsec,
        };
        let own = |id, mine, shown| if id == mine { shown } else { id };
        let attributes = Attributes {
            ino: Ino(stat.stx_ino),
            kind: kind(FileType::from_raw_mode(stat.stx_mode.into())),
            mode: stat.stx_mode & 0o7777,
            uid: own(stat.stx_uid, self.mine.0, self.shown.0),
            gid: own(stat.stx_gid, self.mine.1, self.shown.1),
            links: stat.stx_nlink,
            device: u32::try_from(fs::makedev(stat.stx_rdev_major, stat.stx_rdev_minor))
                .unwrap_or(0),
            size: stat.stx_size,
            times: Times {
                accessed: time(&stat.stx_atime),
                modified: time(&stat.stx_mtime),
                changed: time(&stat.stx_ctime),
                born: time(&stat.stx_btime),
            },
            stable: true,
        };
        Ok(Visited { path, attributes })
    }

    /// The entries of a directory, last name first.
    fn below(&self, dir: &[u8]) -> io::Result<Vec<Visited>> {
        let fd = self.open(dir, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&fd)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if !matches!(name.as_slice(), b"." | b"..") {
                names.push(name);
            }
        }
        names.sort_by(|a, b| b.cmp(a));
        let path = |name: Vec<u8>| {
            if dir.is_empty() {
                name
            } else {
                [dir, b"/", &name].concat()
            }
        };
        names
            .into_iter()
            .map(|name| self.visited(path(name)))
            .collect()
    }
}

impl Tree for DirectoryTree {
    fn visit(&self, visit: &mut dyn FnMut(&Visited) -> io::Result<()>) -> io::Result<()> {
        let mut open = vec![self.visited(Vec::new())?];
        while let Some(visited) = open.pop() {
            visit(&visited)?;
            if visited.attributes.kind == Kind::Directory {
                open.extend(self.below(&visited.path)?);
            }
        }
        Ok(())
    }

    fn target(&self, link: &Visited) -> io::Result<Vec<u8>> {
        let link = self.open(&link.path, OFlags::PATH)?;
        Ok(fs::readlinkat(link, "", Vec::new())?.into_bytes())
    }

    fn xattrs(&self, of: &Visited) -> io::Result<Vec<Xattr>> {
        if !matches!(of.attributes.kind, Kind::File | Kind::Directory) {
            return Ok(Vec::new());
        }
        xattrs(self.open(&of.path, OFlags::RDONLY | OFlags::NONBLOCK)?)
    }

    fn content(&self, file: &Visited) -> io::Result<Box<dyn Read + '_>> {
        let file = self.open(&file.path, OFlags::RDONLY | OFlags::NONBLOCK)?;
        Ok(Box::new(File::from(file)))
    }
}

/// Extended attributes of an open file.
///
/// # Errors
/// Those of flistxattr(2) and fgetxattr(2).
pub fn xattrs(file: impl AsFd) -> io::Result<Vec<Xattr>> {
    let mut list = vec![0; XATTR_LIST_MAX];
    let count = fs::flistxattr(&file, &mut list[..])?;
    let names = list[..count].split(|byte| *byte == 0);
    let value = |name: &[u8]| {
        let mut value = vec![0; VALUE_MAX];
        let count = fs::fgetxattr(&file, name, &mut value[..])?;
        value.truncate(count);
        Ok((name.to_vec(), value))
    };
    names.filter(|name| !name.is_empty()).map(value).collect()
}

fn kind(of: FileType) -> Kind {
    match of {
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        _ => Kind::File,
    }
}
