//! A directory as the source of an import.
//!
//! Symbolic links are never followed and other filesystems below are not entered.

use super::{Imported, Importer, Incoming, What, at};
use crate::home::Home;
use crate::ids::Time;
use crate::medium::Medium;
use crate::record::Kind;
use crate::tree::{self, Xattr};
use rustix::fs::{self, FileType, Mode, OFlags, ResolveFlags, SeekFrom, Stat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Brings everything in the directory `top` into `home`.
///
/// # Errors
/// Those of reading the directory and of the home.
pub fn import<M: Medium>(
    home: &Home<M>,
    top: &Path,
    tell: &mut dyn FnMut(&Imported),
) -> io::Result<Imported> {
    walk(top, Importer::new(home, tell))
}

/// Makes the new home `home` what the directory `top` is: with the attributes of the top itself.
///
/// # Errors
/// As [`import`].
pub fn replicate<M: Medium>(
    home: &Home<M>,
    top: &Path,
    tell: &mut dyn FnMut(&Imported),
) -> io::Result<Imported> {
    let mut importer = Importer::new(home, tell);
    importer.replicates = true;
    walk(top, importer)
}

fn walk<M: Medium>(top: &Path, importer: Importer<'_, M>) -> io::Result<Imported> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut walk = Walk {
        top: fs::open(top, flags, Mode::empty())?,
        importer,
        linked: HashMap::new(),
    };
    let stat = fs::fstat(&walk.top)?;
    walk.add(&[], &stat)?;
    let mut open = vec![Vec::new()];
    while let Some(dir) = open.pop() {
        open.extend(walk.directory(&dir)?);
    }
    walk.importer.finish()
}

struct Walk<'a, M: Medium> {
    top: OwnedFd,
    importer: Importer<'a, M>,
    /// Where files with several names came first.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl<M: Medium> Walk<'_, M> {
    /// Takes in what is in one directory; the paths of those below it.
    fn directory(&mut self, dir: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let fd = match self.open(dir, OFlags::RDONLY | OFlags::DIRECTORY) {
            // The top of another filesystem.
            Err(Errno::XDEV) => return Ok(Vec::new()),
            other => other.map_err(|error| at(dir, &error.into()))?,
        };
        let mut below = Vec::new();
        for entry in fs::Dir::read_from(&fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let path = join(dir, name);
            let stat = fs::statat(&fd, entry.file_name(), fs::AtFlags::SYMLINK_NOFOLLOW)?;
            self.add(&path, &stat).map_err(|error| at(&path, &error))?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                below.push(path);
            }
        }
        Ok(below)
    }

    fn add(&mut self, path: &[u8], stat: &Stat) -> io::Result<()> {
        let what = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => What::Directory,
            FileType::RegularFile => self.file(path, stat),
            FileType::Symlink => What::Symlink(self.target(path)?),
            FileType::Fifo => What::Special(Kind::Fifo, 0),
            FileType::CharacterDevice => special(Kind::CharDevice, stat),
            FileType::BlockDevice => special(Kind::BlockDevice, stat),
            FileType::Socket => What::Special(Kind::Socket, 0),
            FileType::Unknown => return Err(io::ErrorKind::Unsupported.into()),
        };
        let mut incoming = incoming(path, what, stat);
        match incoming.what {
            What::File(_) => {
                let file = self.open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
                incoming.xattrs = self.xattrs(&file)?;
                let held = data_end(&file, stat);
                self.importer
                    .add(&incoming, &mut File::from(file).take(held))
            }
            What::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY;
                if let Ok(dir) = self.open(path, flags) {
                    incoming.xattrs = self.xattrs(dir)?;
                }
                self.importer.add(&incoming, &mut io::empty())
            }
            _ => self.importer.add(&incoming, &mut io::empty()),
        }
    }

    /// As far as they can be read: many filesystems have none. A copy has them all.
    fn xattrs(&self, file: impl AsFd) -> io::Result<Vec<Xattr>> {
        match tree::directory::xattrs(file) {
            Err(error) if self.importer.replicates => Err(error),
            other => Ok(other.unwrap_or_default()),
        }
    }

    fn file(&mut self, path: &[u8], stat: &Stat) -> What {
        if stat.st_nlink > 1 {
            let identity = (stat.st_dev, stat.st_ino);
            if let Some(earlier) = self.linked.get(&identity) {
                return What::HardLink(earlier.clone());
            }
            self.linked.insert(identity, path.to_vec());
        }
        What::File(u64::try_from(stat.st_size).unwrap_or(0))
    }

    fn target(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        let link = self.open(path, OFlags::PATH | OFlags::NOFOLLOW)?;
        Ok(fs::readlinkat(link, "", Vec::new())?.into_bytes())
    }

    fn open(&self, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let path = if path.is_empty() { b"." } else { path };
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat2(&self.top, path, flags, Mode::empty(), resolve)
    }
}

fn incoming(path: &[u8], what: What, stat: &Stat) -> Incoming {
    let time = |seconds: i64, nanos: u64| Time {
        seconds,
        nanos: u32::try_from(nanos).unwrap_or(0),
    };
    Incoming {
        path: path.to_vec(),
        what,
        mode: u16::try_from(stat.st_mode & 0o7777).unwrap_or(0),
        owner: (stat.st_uid, stat.st_gid),
        modified: time(stat.st_mtime, stat.st_mtime_nsec),
        accessed: time(stat.st_atime, stat.st_atime_nsec),
        xattrs: Vec::new(),
    }
}

/// Where the hole at the end of a file begins, or else its end.
pub(crate) fn data_end(file: impl AsFd, stat: &Stat) -> u64 {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let allocated = u64::try_from(stat.st_blocks)
        .unwrap_or(0)
        .saturating_mul(512);
    if allocated >= size {
        return size;
    }
    let mut end = 0;
    // ENXIO: there is nothing but a hole from there on.
    while let Ok(data) = fs::seek(&file, SeekFrom::Data(end)) {
        match fs::seek(&file, SeekFrom::Hole(data)) {
            Ok(hole) => end = hole,
            Err(_) => end = size,
        }
    }
    // The next to read it begins at its beginning.
    match fs::seek(&file, SeekFrom::Start(0)) {
        Ok(_) => end,
        Err(_) => size,
    }
}

fn special(kind: Kind, stat: &Stat) -> What {
    What::Special(kind, u32::try_from(stat.st_rdev).unwrap_or(0))
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() {
        name.to_vec()
    } else {
        [dir, b"/", name].concat()
    }
}
