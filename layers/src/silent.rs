//! Changes that an inode does not tell of.
//!
//! A program that writes through a shared mapping of a file on tmpfs alters neither its mtime nor
//! its ctime: the kernel does not watch the pages of memory-only filesystems (`vma_wants_writenotify`
//! in Linux, mm/mmap.c). There, only reading a file's data tells whether it is what was copied.
//!
//! On a disk the first write to a clean page is noticed, and the next only once the page has been
//! written back (`do_wp_page` and `page_mkclean` in Linux, mm/). So a copy has all pages written back
//! before it begins: a file that has not changed since then cannot change without a trace, and of the
//! few others nothing is believed.

use std::ffi::CStr;
use std::time::SystemTime;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{fstatfs, syncfs};
use rustix::io::Errno;

use crate::content::{Buffer, Failure};
use crate::facts::Facts;
use crate::names::open_file;
use crate::place::open_below;
use crate::progress::Quiet;
use crate::{Progress, examine};

/// Filesystem magic numbers of linux/magic.h.
const TMPFS: i64 = 0x0102_1994;
const RAMFS: i64 = 0x8584_58f6;

/// Whether files of this filesystem can change without a trace.
pub(crate) fn possible_on(upper: BorrowedFd<'_>) -> Result<bool, Errno> {
    let kind = fstatfs(upper)?.f_type;
    Ok(kind == TMPFS || kind == RAMFS)
}

/// Has all pages written back; a file that has not changed after that moment shows every later change.
/// `None` where that cannot be had: in memory, and on a disk that fails, of which a copy is all the
/// more urgent.
pub(crate) fn noticed_after(upper: BorrowedFd<'_>) -> Result<Option<SystemTime>, Errno> {
    if possible_on(upper)? {
        return Ok(None);
    }
    let (top, now) = (open_below(upper, b".")?, SystemTime::now());
    Ok(syncfs(top).is_ok().then_some(now))
}

/// Whether the file `name` in `dir`, whose inode looks as it did when it was copied, still has the
/// attributes and data that `copied` is the hash of. One that has just gone has not.
pub(crate) fn is_unchanged(
    buffer: &mut Buffer,
    (dir, name): (BorrowedFd<'_>, &CStr),
    facts: &Facts,
    copied: u64,
    progress: &dyn Progress,
) -> Result<bool, Failure> {
    let file = match open_file(dir, name) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::STALE) => return Ok(false),
        Err(errno) => return Err(Failure::Read(errno)),
    };
    Ok(examine::file(buffer, (file.as_fd(), facts), &Quiet(progress))? == copied)
}
