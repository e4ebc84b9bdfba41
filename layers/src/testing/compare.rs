//! Comparing two trees, slowly and simply.
//!
//! On purpose nothing here is shared with the copier: entries are read with other calls, whole
//! listings are held in memory, and directories stay open all the way down.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{
    AtFlags, Dir, FileType, IFlags, Mode, OFlags, SeekFrom, Stat, ioctl_getflags, lgetxattr,
    llistxattr, openat, readlinkat, seek, statat,
};
use rustix::process::{Resource, getrlimit, setrlimit};

/// What to compare beyond names, kinds, owners, modes, attributes, links and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Times, flags and holes too: a copy of an upper.
    Everything,
    /// Not those: two views through an overlay.
    Merged,
}

/// Differences between the trees `a` and `b` in words, at most a hundred; none if they are equal.
///
/// # Errors
/// When either tree cannot be read.
pub fn differences(a: BorrowedFd<'_>, b: BorrowedFd<'_>, depth: Depth) -> io::Result<Vec<String>> {
    raise_open_files()?;
    let work = || {
        let mut comparison = Comparison {
            depth,
            found: Vec::new(),
            links: Default::default(),
        };
        let (a, b) = (
            open(a, c".", OFlags::DIRECTORY)?,
            open(b, c".", OFlags::DIRECTORY)?,
        );
        comparison.entry((a.as_fd(), b.as_fd()), c".", "")?;
        Ok(comparison.found)
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, work)?;
        thread
            .join()
            .map_err(|_| io::Error::other("the comparison panicked"))?
    })
}

/// Enough for a recursion as deep as any tree under test.
const STACK: usize = 1 << 28;

/// Two descriptors stay open for each level.
fn raise_open_files() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Blocks of 512 bytes that a copy may have more: maps of extents, 64 KB of extended attributes.
const SLACK: i64 = 256;

struct Comparison {
    depth: Depth,
    found: Vec<String>,
    /// On each side, the number of the group of names an inode was first met in.
    links: (HashMap<u64, usize>, HashMap<u64, usize>),
}

type Sides<'a> = (BorrowedFd<'a>, BorrowedFd<'a>);

impl Comparison {
    fn entry(&mut self, dirs: Sides<'_>, name: &CStr, path: &str) -> io::Result<()> {
        let (a, b) = (look(dirs.0, name)?, look(dirs.1, name)?);
        self.expect(path, "kind", &kind(&a), &kind(&b));
        if kind(&a) != kind(&b) {
            return Ok(());
        }
        self.attributes(path, &a, &b);
        let (xa, xb) = (xattrs(dirs.0, name)?, xattrs(dirs.1, name)?);
        self.expect(path, "extended attributes", &xa, &xb);
        self.links(path, &a, &b);
        match kind(&a) {
            FileType::Directory => self.directory(dirs, name, path),
            FileType::RegularFile => self.file(dirs, name, path, (&a, &b)),
            FileType::Symlink => {
                let target = |dir| readlinkat(dir, name, Vec::new());
                let (a, b) = (target(dirs.0)?, target(dirs.1)?);
                self.expect(path, "target", &a, &b);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn attributes(&mut self, path: &str, a: &Stat, b: &Stat) {
        self.expect(path, "owner", &(a.st_uid, a.st_gid), &(b.st_uid, b.st_gid));
        self.expect(path, "mode", &(a.st_mode & 0o7777), &(b.st_mode & 0o7777));
        self.expect(path, "device", &a.st_rdev, &b.st_rdev);
        if self.depth == Depth::Everything {
            let modified = |s: &Stat| (s.st_mtime, s.st_mtime_nsec);
            self.expect(path, "modification time", &modified(a), &modified(b));
        }
        // Looking where a link leads is an access.
        if self.depth == Depth::Everything && kind(a) != FileType::Symlink {
            let accessed = |s: &Stat| (s.st_atime, s.st_atime_nsec);
            self.expect(path, "access time", &accessed(a), &accessed(b));
        }
    }

    /// Names of one inode on one side must be names of one inode on the other.
    fn links(&mut self, path: &str, a: &Stat, b: &Stat) {
        if kind(a) == FileType::Directory || self.depth == Depth::Merged {
            return;
        }
        let next = self.links.0.len().max(self.links.1.len());
        let first = *self.links.0.entry(a.st_ino).or_insert(next);
        let second = *self.links.1.entry(b.st_ino).or_insert(next);
        self.expect(path, "group of links", &first, &second);
    }

    fn directory(&mut self, dirs: Sides<'_>, name: &CStr, path: &str) -> io::Result<()> {
        let (a, b) = (
            open(dirs.0, name, OFlags::DIRECTORY)?,
            open(dirs.1, name, OFlags::DIRECTORY)?,
        );
        self.flags(path, &a, &b)?;
        let (in_a, in_b) = (names(&a)?, names(&b)?);
        self.expect(path, "names", &in_a, &in_b);
        for name in in_a.iter().filter(|name| in_b.contains(name)) {
            let path = format!("{path}/{}", name.to_string_lossy().escape_debug());
            self.entry((a.as_fd(), b.as_fd()), name, &path)?;
        }
        Ok(())
    }

    fn file(
        &mut self,
        dirs: Sides<'_>,
        name: &CStr,
        path: &str,
        (a, b): (&Stat, &Stat),
    ) -> io::Result<()> {
        self.expect(path, "size", &a.st_size, &b.st_size);
        if self.depth == Depth::Everything && b.st_blocks > a.st_blocks + SLACK {
            self.found.push(format!(
                "{path}: {} blocks became {}",
                a.st_blocks, b.st_blocks
            ));
        }
        let (a, b) = (
            open(dirs.0, name, OFlags::empty())?,
            open(dirs.1, name, OFlags::empty())?,
        );
        self.flags(path, &a, &b)?;
        let (a, b) = (File::from(a), File::from(b));
        if !(covers(&a, &b)? && covers(&b, &a)?) {
            self.found.push(format!("{path}: data differs"));
        }
        Ok(())
    }

    fn flags(&mut self, path: &str, a: &OwnedFd, b: &OwnedFd) -> io::Result<()> {
        if self.depth == Depth::Everything {
            let kept = IFlags::IMMUTABLE | IFlags::APPEND | IFlags::NODUMP;
            self.expect(
                path,
                "flags",
                &(ioctl_getflags(a)? & kept),
                &(ioctl_getflags(b)? & kept),
            );
        }
        Ok(())
    }

    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, path: &str, what: &str, a: &T, b: &T) {
        if a != b && self.found.len() < 100 {
            let text = format!("{path}: {what}: {a:?} became {b:?}");
            self.found.push(text.chars().take(600).collect());
        }
    }
}

fn look(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<Stat> {
    Ok(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn open(dir: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NOATIME | OFlags::CLOEXEC;
    Ok(openat(dir, name, flags, Mode::empty())?)
}

fn names(dir: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_owned();
        if name.as_c_str() != c"." && name.as_c_str() != c".." {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// All but those that tie an inode to the filesystem it is on.
fn xattrs(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    let mut list = vec![0; 65_536];
    let length = llistxattr(&*path, &mut *list)?;
    let mut found = BTreeMap::new();
    for name in list[..length]
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = vec![0; 65_536];
        let length = lgetxattr(&*path, name, &mut *value)?;
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    for local in ["origin", "nlink", "uuid", "upper"] {
        found.remove(format!("trusted.overlay.{local}").as_bytes());
    }
    Ok(found)
}

/// Whether `b` holds the same bytes wherever `a` has data.
fn covers(a: &File, b: &File) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut at = 0;
    while let Ok(start) = seek(a, SeekFrom::Data(at)) {
        let end = seek(a, SeekFrom::Hole(start))?;
        at = start;
        while at < end {
            let wanted = usize::try_from(end - at).map_or(left.len(), |n| n.min(left.len()));
            a.read_exact_at(&mut left[..wanted], at)?;
            if b.read_exact_at(&mut right[..wanted], at).is_err()
                || left[..wanted] != right[..wanted]
            {
                return Ok(false);
            }
            at += wanted as u64;
        }
    }
    Ok(true)
}
