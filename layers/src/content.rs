//! The data of one regular file: cloned where the filesystem can, else read, hashed and written
//! once, holes kept as holes.
//!
//! Large files go to the device without a stay in the page cache, which a live system needs for
//! other things; see [`crate::pace`] for what the small ones do there.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::BorrowedFd;
use rustix::fs::{OFlags, SeekFrom, fcntl_setfl, ftruncate, ioctl_ficlone, seek};
use rustix::io::{Errno, pread, pwrite};

use crate::facts::Facts;
use crate::hash::{BLOCK, DataHash};
use crate::pace::Pace;
use crate::progress::check;
use crate::{EntryPath, Error, Progress, Result};

/// Data moved between two looks at the cancel flag.
const CHUNK: usize = 1 << 20;

/// Size from which a file is written past the page cache.
const LARGE: u64 = 1 << 20;

/// What copying data needs besides the two files; one per thread.
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub fn new() -> Self {
        Self(vec![0; CHUNK + BLOCK])
    }

    /// A chunk aligned as writing past the page cache demands.
    fn chunk(&mut self) -> &mut [u8] {
        let start = self.0.as_ptr().align_offset(BLOCK);
        &mut self.0[start..start + CHUNK]
    }
}

/// Copies data on behalf of one job.
pub(crate) struct Copier<'a> {
    pub progress: &'a dyn Progress,
    /// Whether source and destination may share blocks; false after the first refusal.
    pub clones: &'a AtomicBool,
    pub pace: &'a Pace,
}

/// The two ends of one copy.
pub(crate) struct Ends<'a> {
    pub from: BorrowedFd<'a>,
    pub to: BorrowedFd<'a>,
    pub path: &'a dyn Fn() -> EntryPath,
}

/// What was copied.
pub(crate) struct Content {
    pub hash: u64,
    /// Differs from the size asked for when the file shrank meanwhile.
    pub size: u64,
}

impl Copier<'_> {
    /// Copies the file described by `facts`; bytes appended since then stay behind.
    pub fn copy(&self, buffer: &mut Buffer, ends: &Ends<'_>, facts: &Facts) -> Result<Content> {
        if facts.size > 0 && self.clone(ends) {
            // The clone has the size of this moment, not of the facts.
            ftruncate(ends.to, facts.size).map_err(|errno| Error::write((ends.path)(), errno))?;
            return hash_file(buffer, ends.to, facts, self.progress)
                .map_err(|failure| failure.named(ends.path));
        }
        let mut output = Output::new(ends.to, facts);
        let mut write = |offset: u64, data: &[u8]| output.write(offset, data);
        let content = transfer(buffer, ends.from, facts, self.progress, &mut write)
            .map_err(|failure| failure.named(ends.path))?;
        self.pace
            .cached(output.cached)
            .map_err(|errno| Error::write((ends.path)(), errno))?;
        if facts.is_sparse() || content.size < facts.size {
            ftruncate(ends.to, content.size).map_err(|errno| Error::write((ends.path)(), errno))?;
        }
        Ok(content)
    }

    fn clone(&self, ends: &Ends<'_>) -> bool {
        let shared =
            self.clones.load(Ordering::Relaxed) && ioctl_ficlone(ends.to, ends.from).is_ok();
        if !shared {
            self.clones.store(false, Ordering::Relaxed);
        }
        shared
    }
}

/// Hashes the data of an open file.
pub(crate) fn hash_file(
    buffer: &mut Buffer,
    file: BorrowedFd<'_>,
    facts: &Facts,
    progress: &dyn Progress,
) -> Result<Content, Failure> {
    transfer(buffer, file, facts, progress, &mut |_, _| Ok(()))
}

/// Why data did not move.
pub(crate) enum Failure {
    Cancelled,
    Read(Errno),
    Write(Errno),
}

impl Failure {
    pub fn named(self, path: impl FnOnce() -> EntryPath) -> Error {
        match self {
            Self::Cancelled => Error::Cancelled,
            Self::Read(errno) => Error::read(path(), errno),
            Self::Write(errno) => Error::write(path(), errno),
        }
    }
}

type Sink<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), Errno>;

fn transfer(
    buffer: &mut Buffer,
    from: BorrowedFd<'_>,
    facts: &Facts,
    progress: &dyn Progress,
    sink: Sink<'_>,
) -> Result<Content, Failure> {
    let mut hash = DataHash::new();
    let mut next = data_run(from, facts, 0)?;
    while let Some((mut at, end)) = next {
        while at < end {
            check(progress).map_err(|_| Failure::Cancelled)?;
            let data = fill(from, at, end, buffer.chunk()).map_err(Failure::Read)?;
            hash.update(at, data);
            sink(at, data).map_err(Failure::Write)?;
            progress.advance(data.len() as u64, 0);
            at += data.len() as u64;
            if at < end && data.len() < CHUNK {
                // The file ends here now: somebody cut it.
                return Ok(Content {
                    hash: hash.finish(),
                    size: at,
                });
            }
        }
        next = data_run(from, facts, end)?;
    }
    Ok(Content {
        hash: hash.finish(),
        size: facts.size,
    })
}

/// The next run of data at or after `at`, in whole blocks.
fn data_run(from: BorrowedFd<'_>, facts: &Facts, at: u64) -> Result<Option<(u64, u64)>, Failure> {
    if at >= facts.size {
        return Ok(None);
    }
    if !facts.is_sparse() {
        return Ok(Some((at, facts.size)));
    }
    let data = match seek(from, SeekFrom::Data(at)) {
        Ok(data) if data < facts.size => data,
        Ok(_) | Err(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(Failure::Read(error)),
    };
    let hole = match seek(from, SeekFrom::Hole(data)) {
        Ok(hole) => hole,
        Err(Errno::NXIO) => facts.size,
        Err(error) => return Err(Failure::Read(error)),
    };
    let start = (data - data % BLOCK as u64).max(at);
    Ok(Some((
        start,
        hole.next_multiple_of(BLOCK as u64).min(facts.size),
    )))
}

/// Reads from `at` until the buffer is full, `end` is reached or the file ends.
fn fill<'b>(
    from: BorrowedFd<'_>,
    at: u64,
    end: u64,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], Errno> {
    let wanted = usize::try_from(end - at).map_or(CHUNK, |left| left.min(CHUNK));
    let mut filled = 0;
    while filled < wanted {
        match pread(from, &mut buffer[filled..wanted], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(&buffer[..filled])
}

/// The file that is written.
struct Output<'a> {
    to: BorrowedFd<'a>,
    /// Whether whole blocks go past the page cache.
    direct: bool,
    /// Bytes that went into the page cache.
    cached: u64,
}

impl<'a> Output<'a> {
    fn new(to: BorrowedFd<'a>, facts: &Facts) -> Self {
        let large = facts.size >= LARGE && !facts.is_sparse();
        Self {
            to,
            direct: large && fcntl_setfl(to, OFlags::DIRECT).is_ok(),
            cached: 0,
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let whole = if self.direct {
            data.len() - data.len() % BLOCK
        } else {
            0
        };
        let rest = match write_all(self.to, offset, &data[..whole]) {
            Ok(()) => whole,
            // Blocks of this device are larger than ours.
            Err(Errno::INVAL) => 0,
            Err(error) => return Err(error),
        };
        if rest == data.len() {
            return Ok(());
        }
        if self.direct {
            fcntl_setfl(self.to, OFlags::empty())?;
            self.direct = false;
        }
        self.cached += (data.len() - rest) as u64;
        write_all(self.to, offset + rest as u64, &data[rest..])
    }
}

fn write_all(to: BorrowedFd<'_>, offset: u64, data: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < data.len() {
        match pwrite(to, &data[done..], offset + done as u64) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
