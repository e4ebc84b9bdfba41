//! The system calls behind a medium: opening below a directory, looking at an object.

use crate::medium::{FactKind, Facts};
use rustix::fs::{self, AtFlags, Mode, OFlags, ResolveFlags, StatxFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Longest path given to one system call, well below `PATH_MAX`.
const PATH_CHUNK: usize = 3800;

/// Sets the hidden attribute by `FAT_IOCTL_SET_ATTRIBUTES` (linux/msdos_fs.h).
pub(super) fn fat_hide(fd: &OwnedFd) -> rustix::io::Result<()> {
    const SET_ATTRIBUTES: rustix::ioctl::Opcode = rustix::ioctl::opcode::write::<u32>(b'r', 0x11);
    const HIDDEN_DIRECTORY: u32 = 0x02 | 0x10;
    // SAFETY: the request reads one u32 behind the pointer, as linux/msdos_fs.h defines it.
    #[allow(unsafe_code)]
    unsafe {
        let set = rustix::ioctl::Setter::<SET_ATTRIBUTES, u32>::new(HIDDEN_DIRECTORY);
        rustix::ioctl::ioctl(fd, set)
    }
}

pub(super) fn open_at(
    dir: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = flags | OFlags::CLOEXEC;
    loop {
        // A concurrent rename elsewhere makes the kernel give up with EAGAIN: try again.
        match fs::openat2(dir, path, flags, mode, resolve) {
            Err(rustix::io::Errno::AGAIN) => {}
            other => return Ok(other?),
        }
    }
}

pub(super) fn open_long(
    above: OwnedFd,
    path: &str,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let (mut above, mut path) = (above, path);
    while let Some((head, rest)) = split_long(path) {
        above = open_at(above.as_fd(), head, OFlags::PATH, Mode::empty())?;
        path = rest;
    }
    open_at(above.as_fd(), path, flags, mode)
}

/// Splits a path too long for one system call at a `/`.
pub(super) fn split_long(path: &str) -> Option<(&str, &str)> {
    if path.len() <= PATH_CHUNK {
        return None;
    }
    let at = path.as_bytes()[..PATH_CHUNK]
        .iter()
        .rposition(|b| *b == b'/')?;
    Some((&path[..at], &path[at + 1..]))
}

pub(super) fn statx(dir: BorrowedFd<'_>, name: &str, flags: AtFlags) -> rustix::io::Result<Facts> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let stat = fs::statx(dir, name, flags, wanted)?;
    let kind = match fs::FileType::from_raw_mode(stat.stx_mode.into()) {
        fs::FileType::Directory => FactKind::Directory,
        fs::FileType::RegularFile => FactKind::File,
        _ => FactKind::Other,
    };
    let has_born = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
    Ok(Facts {
        kind,
        size: stat.stx_size,
        allocated: stat.stx_blocks * 512,
        modified: stat.stx_mtime.tv_sec,
        modified_nanos: stat.stx_mtime.tv_nsec,
        born: if has_born { stat.stx_btime.tv_sec } else { 0 },
    })
}
