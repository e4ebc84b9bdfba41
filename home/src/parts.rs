//! Files longer than the medium takes in one piece.
//!
//! A file on FAT32 ends at 4 GiB − 1. Longer ones continue in *parts* beside the first, all but the
//! last of exactly the part size, called by [`names::part`](crate::names::part): put end to end
//! (`cat film.mkv film.mkv.~002`, `copy /b`) they are the file.

use crate::medium::{Facts, MediumFile};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Most parts of one file, so 4 TiB on FAT32.
pub const PARTS_MAX: u16 = 999;

/// Length in bytes of all parts but the last: FAT takes 4 GiB − 1; a whole number of the largest clusters
/// below that.
pub const PART_SIZE: u64 = (4 << 30) - (64 << 10);

/// An open file in one or more parts.
#[derive(Debug)]
pub struct SplitFile<F> {
    parts: RwLock<Arc<[Arc<F>]>>,
    part_size: u64,
    /// Whether a sync has failed that nobody has asked about since.
    failed: AtomicBool,
}

/// Number of parts a file of `length` bytes needs; `None` beyond [`PARTS_MAX`].
#[must_use]
pub fn parts_needed(length: u64, part_size: u64) -> Option<u16> {
    let parts = length.div_ceil(part_size).max(1);
    u16::try_from(parts)
        .ok()
        .filter(|parts| *parts <= PARTS_MAX)
}

impl<F: MediumFile> SplitFile<F> {
    /// A file whose parts are `parts`, at least one.
    #[must_use]
    pub fn new(parts: Vec<F>, part_size: u64) -> Self {
        let parts = parts.into_iter().map(Arc::new).collect();
        Self {
            parts: RwLock::new(parts),
            part_size,
            failed: AtomicBool::new(false),
        }
    }

    /// Length of all parts but the last, in bytes.
    #[must_use]
    pub fn part_size(&self) -> u64 {
        self.part_size
    }

    /// Number of parts.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all().len()
    }

    /// The first part.
    #[must_use]
    pub fn first(&self) -> Option<Arc<F>> {
        self.all().first().map(Arc::clone)
    }

    /// The last part.
    #[must_use]
    pub fn last(&self) -> Option<Arc<F>> {
        self.all().last().map(Arc::clone)
    }

    /// Appends a part; the last one must be filled.
    pub fn push(&self, part: F) {
        let part = Arc::new(part);
        self.change(|parts| parts.iter().cloned().chain([part]).collect());
    }

    /// Forgets all parts after the first `count`.
    pub fn truncate_parts(&self, count: usize) {
        self.change(|parts| parts.iter().take(count.max(1)).cloned().collect());
    }

    /// Reads at an offset; fewer bytes only at the end of what the medium holds.
    ///
    /// # Errors
    /// Those of pread(2).
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let parts = self.all();
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let Some(part) = self.index(at).and_then(|index| parts.get(index)) else {
                break;
            };
            let wanted = self.room(at, buffer.len() - done);
            let count = part.read_at(&mut buffer[done..done + wanted], at % self.part_size)?;
            done += count;
            if count < wanted {
                break;
            }
        }
        Ok(done)
    }

    /// Where what is not a hole begins, at an offset or behind it; the end of the part if there is
    /// nothing else in it. FAT has no holes.
    #[must_use]
    pub fn data_from(&self, offset: u64) -> u64 {
        let parts = self.all();
        let part = self.index(offset).and_then(|index| parts.get(index));
        let Some(fd) = part.and_then(|part| part.descriptor()) else {
            return offset;
        };
        let (start, within) = (offset - offset % self.part_size, offset % self.part_size);
        match seek(fd, SeekFrom::Data(within)) {
            Ok(data) => start + data,
            Err(Errno::NXIO) => start.saturating_add(self.part_size),
            Err(_) => offset,
        }
    }

    /// Writes at an offset; the parts it needs must be there.
    ///
    /// # Errors
    /// Those of pwrite(2).
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let parts = self.all();
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let part = self.index(at).and_then(|index| parts.get(index));
            let part = part.ok_or(io::ErrorKind::FileTooLarge)?;
            let count = self.room(at, bytes.len() - done);
            part.write_at(&bytes[done..done + count], at % self.part_size)?;
            done += count;
        }
        Ok(())
    }

    /// Sets the length within the parts there are.
    ///
    /// # Errors
    /// Those of ftruncate(2).
    pub fn set_len(&self, length: u64) -> io::Result<()> {
        for (index, part) in (0u64..).zip(self.all().iter()) {
            let start = index * self.part_size;
            part.set_len(length.saturating_sub(start).min(self.part_size))?;
        }
        Ok(())
    }

    /// Makes all parts durable.
    ///
    /// # Errors
    /// Those of fsync(2).
    pub fn sync(&self) -> io::Result<()> {
        let synced = self.all().iter().try_for_each(|part| part.sync());
        if synced.is_err() {
            self.note_failure();
        }
        synced
    }

    /// Notes that something of it was lost that was written.
    pub fn note_failure(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Whether a sync has failed, or something was lost, since this was asked last. The kernel tells that once, to whoever syncs,
    /// and takes what it dropped for written (fsync(2)): who wrote it may be somebody else.
    pub fn take_failure(&self) -> bool {
        self.failed.swap(false, Ordering::AcqRel)
    }

    /// The facts of the first part with the sizes of all.
    ///
    /// # Errors
    /// Those of fstat(2).
    pub fn facts(&self) -> io::Result<Facts> {
        let parts = self.all();
        let mut parts = parts.iter();
        let first = parts.next().ok_or(io::ErrorKind::NotFound)?.facts()?;
        parts.try_fold(first, |sum, part| {
            let facts = part.facts()?;
            let modified = sum.modified.max(facts.modified);
            let (size, allocated) = (sum.size + facts.size, sum.allocated + facts.allocated);
            Ok(Facts {
                size,
                allocated,
                modified,
                ..sum
            })
        })
    }

    /// The parts there are now.
    fn all(&self) -> Arc<[Arc<F>]> {
        Arc::clone(&self.parts.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&[Arc<F>]) -> Arc<[Arc<F>]>) {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        *parts = change(&parts);
    }

    fn index(&self, offset: u64) -> Option<usize> {
        usize::try_from(offset / self.part_size).ok()
    }

    /// Bytes of `wanted` that lie in the part of `offset`.
    fn room(&self, offset: u64, wanted: usize) -> usize {
        let room = self.part_size - offset % self.part_size;
        usize::try_from(room).map_or(wanted, |room| room.min(wanted))
    }
}
