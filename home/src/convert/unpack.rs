//! A home written as a tree of a POSIX filesystem, with all it holds.
//!
//! The filesystem is a new one that nobody else sees, so what was made under a name is found there.

use super::{ConvertError, Converted, Result, Step};
use crate::acl;
use crate::home::{Attributes, Home, OpenedFile, Visited};
use crate::ids::{Ino, Time};
use crate::medium::Medium;
use crate::record::Kind;
use crate::tree::Xattr;
use rustix::fs::{
    self, AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// Read and written at once.
const CHUNK: usize = 1 << 20;
/// Zeros of this length, aligned, become a hole.
const HOLE: usize = 64 << 10;

/// Writes everything in `home` below `root`.
pub(super) fn unpack<M: Medium>(
    home: &Home<M>,
    root: BorrowedFd<'_>,
    tell: &mut dyn FnMut(Step),
) -> Result<Converted> {
    let mut unpacker = Unpacker {
        home,
        root,
        above: Vec::new(),
        linked: HashMap::new(),
        done: Converted::default(),
    };
    home.walk::<ConvertError>(|visited| {
        unpacker.take(visited)?;
        tell(Step::Copying(unpacker.done.names, unpacker.done.bytes));
        wendy_sys::step("convert.name")?;
        Ok(())
    })?;
    unpacker.leave(0)?;
    Ok(unpacker.done)
}

struct Unpacker<'a, M: Medium> {
    home: &'a Home<M>,
    root: BorrowedFd<'a>,
    /// The directories above what comes next, and what they get when everything is in them.
    above: Vec<(OwnedFd, Visited)>,
    /// First paths of inodes with several names.
    linked: HashMap<Ino, Vec<u8>>,
    done: Converted,
}

impl<M: Medium> Unpacker<'_, M> {
    fn take(&mut self, visited: &Visited) -> Result<()> {
        let attributes = &visited.attributes;
        if visited.path.is_empty() {
            return self.enter(self.root.try_clone_to_owned()?, visited);
        }
        let mut components = visited.path.split(|byte| *byte == b'/');
        self.leave(components.clone().count())?;
        let name = OsStr::from_bytes(components.next_back().unwrap_or_default());
        self.done.names += 1;
        if attributes.kind == Kind::Directory {
            let dir = self.here();
            fs::mkdirat(dir, name, Mode::RWXU)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let made = fs::openat(dir, name, flags, Mode::empty())?;
            return self.enter(made, visited);
        }
        if let Some(earlier) = self.linked.get(&attributes.ino) {
            let earlier = OsStr::from_bytes(earlier);
            return Ok(fs::linkat(
                self.root,
                earlier,
                self.here(),
                name,
                AtFlags::empty(),
            )?);
        }
        self.make(name, attributes)?;
        let lost = self.describe(self.here(), name, visited)?;
        self.done.lost.extend(lost);
        if attributes.links > 1 {
            self.linked.insert(attributes.ino, visited.path.clone());
        }
        Ok(())
    }

    /// Goes on in a directory.
    fn enter(&mut self, dir: OwnedFd, visited: &Visited) -> Result<()> {
        self.above.push((dir, visited.clone()));
        Ok(())
    }

    /// Finishes the directories that are not among the first `depth` any more.
    fn leave(&mut self, depth: usize) -> Result<()> {
        while self.above.len() > depth {
            let Some((dir, visited)) = self.above.pop() else {
                break;
            };
            let lost = self.describe(dir.as_fd(), OsStr::new("."), &visited)?;
            self.done.lost.extend(lost);
        }
        Ok(())
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.above.last().map_or(self.root, |(dir, _)| dir.as_fd())
    }

    fn make(&mut self, name: &OsStr, attributes: &Attributes) -> Result<()> {
        let dir = self.here();
        match attributes.kind {
            Kind::File => self.done.bytes += self.make_file(name, attributes)?,
            Kind::Symlink => {
                let target = self.home.read_link(attributes.ino)?;
                fs::symlinkat(OsStr::from_bytes(&target), dir, name)?;
            }
            kind => {
                let device = u64::from(attributes.device);
                fs::mknodat(dir, name, file_type(kind), Mode::RUSR, device)?;
            }
        }
        Ok(())
    }

    fn make_file(&self, name: &OsStr, attributes: &Attributes) -> Result<u64> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = File::from(fs::openat(self.here(), name, flags, Mode::RUSR)?);
        let opened = self.home.open_file(attributes.ino)?;
        // The hole at the end needs no reading.
        let held = opened.file.facts().map(|facts| facts.size);
        let copied = held.map_err(ConvertError::from);
        let copied = copied.and_then(|held| self.copy(&file, attributes, &opened, held));
        self.home.release(attributes.ino)?;
        copied?;
        Ok(attributes.size)
    }

    fn copy(
        &self,
        file: &File,
        attributes: &Attributes,
        opened: &OpenedFile<M>,
        held: u64,
    ) -> Result<()> {
        let (mut offset, end) = (0, attributes.size.min(held));
        while offset < end {
            // Nor do those in the middle, on a medium that has some.
            let data = opened.file.data_from(offset);
            if data > offset {
                offset = data;
                continue;
            }
            let bytes = self.home.read(attributes.ino, offset, CHUNK)?;
            if bytes.is_empty() {
                return Err(ConvertError::Incomplete("a file ends too early".into()));
            }
            for (part, at) in bytes.chunks(HOLE).zip((offset..).step_by(HOLE)) {
                if part.iter().any(|byte| *byte != 0) {
                    file.write_all_at(part, at)?;
                }
            }
            offset += bytes.len() as u64;
        }
        Ok(file.set_len(attributes.size)?)
    }

    /// Owner, extended attributes, mode and times, in this order: each would change those before it.
    /// Says which attributes the filesystem refuses.
    fn describe(
        &self,
        dir: BorrowedFd<'_>,
        name: &OsStr,
        visited: &Visited,
    ) -> Result<Vec<String>> {
        let attributes = &visited.attributes;
        let owner = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
        fs::chownat(
            dir,
            name,
            Some(owner.0),
            Some(owner.1),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
        let xattrs = self.home.kept_xattrs(attributes.ino)?;
        let refused = copy_xattrs(dir, name, &xattrs)?;
        let lost = refused.iter().map(|xattr| {
            let path = String::from_utf8_lossy(&visited.path);
            format!("{path}: {}", String::from_utf8_lossy(xattr))
        });
        let lost = lost.collect();
        if attributes.kind != Kind::Symlink {
            let list = xattrs.iter().find(|(name, _)| name == acl::ACCESS);
            let mode = list.map_or(attributes.mode, |(_, list)| {
                acl::mode_with(list, attributes.mode)
            });
            let mode = Mode::from_raw_mode(mode.into());
            fs::chmodat(dir, name, mode, AtFlags::empty())?;
        }
        let times = Timestamps {
            last_access: timespec(attributes.times.accessed),
            last_modification: timespec(attributes.times.modified),
        };
        fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(lost)
    }
}

/// Sets extended attributes. The names of access control lists that are none, such as forged ones.
fn copy_xattrs<'x>(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    xattrs: &'x [Xattr],
) -> Result<Vec<&'x [u8]>> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name);
    let mut refused = Vec::new();
    for (xattr, value) in xattrs {
        match fs::lsetxattr(&path, OsStr::from_bytes(xattr), value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::ACCESS) if acl::is_list(xattr) => refused.push(&xattr[..]),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(refused)
}

fn timespec(time: Time) -> Timespec {
    Timespec {
        tv_sec: time.seconds,
        tv_nsec: time.nanos.into(),
    }
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Socket => FileType::Socket,
        Kind::CharDevice => FileType::CharacterDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        _ => FileType::Fifo,
    }
}
