//! Looking at an entry as it is now: everything that its hash covers.

use std::ffi::CStr;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{FileType, readlinkat};
use rustix::io::Errno;

use crate::attributes::{Target, Xattrs};
use crate::content::{Buffer, Failure, hash_file};
use crate::facts::Facts;
use crate::names::open_file;
use crate::place::open_below;
use crate::{Progress, hash};

/// The hash of the entry `name` in `dir`, of whatever kind it is.
pub(crate) fn entry(
    buffer: &mut Buffer,
    (dir, name): (BorrowedFd<'_>, &CStr),
    progress: &dyn Progress,
) -> Result<u64, Failure> {
    let facts = Facts::at(dir, name).map_err(Failure::Read)?;
    match facts.kind {
        FileType::Directory => {
            let dir = open_below(dir, name.to_bytes()).map_err(Failure::Read)?;
            directory(dir.as_fd()).map_err(Failure::Read)
        }
        FileType::RegularFile => {
            let open = open_file(dir, name).map_err(Failure::Read)?;
            let facts = Facts::of(open.as_fd()).map_err(Failure::Read)?;
            file(buffer, (open.as_fd(), &facts), progress)
        }
        _ => {
            let (target, xattrs) = special(dir, name, &facts).map_err(Failure::Read)?;
            Ok(hash::entry(&facts, &xattrs, &target))
        }
    }
}

/// The hash of an open directory, whatever is in it.
pub(crate) fn directory(dir: BorrowedFd<'_>) -> Result<u64, Errno> {
    let facts = Facts::of(dir)?;
    Ok(hash::entry(&facts, &Target::Open(dir).read()?, &[]))
}

/// The hash of an open file with these facts.
pub(crate) fn file(
    buffer: &mut Buffer,
    (file, facts): (BorrowedFd<'_>, &Facts),
    progress: &dyn Progress,
) -> Result<u64, Failure> {
    let xattrs = Target::Open(file).read().map_err(Failure::Read)?;
    let content = hash_file(buffer, file, facts, progress)?;
    Ok(hash::entry(facts, &xattrs, &content.hash.to_le_bytes()))
}

/// The target of a link, empty for any other special file, and the attributes.
pub(crate) fn special(
    dir: BorrowedFd<'_>,
    name: &CStr,
    facts: &Facts,
) -> Result<(Vec<u8>, Xattrs), Errno> {
    let target = match facts.kind {
        FileType::Symlink => readlinkat(dir, name, Vec::new())?.into_bytes(),
        _ => Vec::new(),
    };
    Ok((target, Target::Entry(dir, name).read()?))
}
