//! Content: opening, reading, writing, resizing.

use super::{Errno, Home, Ino, Kind, Medium, Record, Result, State, Time, errno, print};
use crate::parts::{SplitFile, parts_needed};
use crate::record::Lower;
use std::sync::{Arc, MutexGuard};

/// A regular file opened once more.
#[derive(Debug)]
pub struct OpenedFile<M: Medium> {
    /// Its content on the medium.
    pub file: Arc<SplitFile<M::File>>,
}

impl<M: Medium> Home<M> {
    /// Opens a regular file; every success needs one [`Home::release`].
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`, those of the medium.
    pub fn open_file(&self, ino: Ino) -> Result<OpenedFile<M>> {
        let file = self.open_in(&mut self.state(), ino)?;
        Ok(OpenedFile { file })
    }

    /// Ends one use of an open file.
    ///
    /// # Errors
    /// `EBADF`, and those of recording its size and times.
    pub fn release(&self, ino: Ino) -> Result<()> {
        let mut state = self.state();
        if state.dismiss(ino) {
            return state.drop_if_unused(ino);
        }
        let open = state.files.get_mut(&ino).ok_or(Errno::BADF)?;
        open.opens -= 1;
        if open.opens > 0 {
            return Ok(());
        }
        let recorded = state.record_content(ino);
        state.files.remove(&ino);
        recorded.and(state.drop_if_unused(ino))
    }

    /// Reads; fewer bytes only at the end of the file.
    ///
    /// # Errors
    /// `EBADF`, those of the medium.
    pub fn read(&self, ino: Ino, offset: u64, length: usize) -> Result<Vec<u8>> {
        let (file, size) = {
            let mut state = self.state();
            let file = self.content(&mut state, ino)?;
            state.take_over_writes(ino)?;
            (file, state.table.inode(ino).ok_or(Errno::NOENT)?.size)
        };
        let length = usize::try_from(size.saturating_sub(offset)).map_or(length, |r| r.min(length));
        let mut buffer = vec![0; length];
        // What the lower file does not hold stays zero.
        file.read_at(&mut buffer, offset).map_err(errno)?;
        Ok(buffer)
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// `EBADF`, `EFBIG`, `ENOSPC`, those of the medium.
    pub fn write(&self, ino: Ino, offset: u64, bytes: &[u8]) -> Result<()> {
        self.with_space(|| self.write_once(ino, offset, bytes))
    }

    fn write_once(&self, ino: Ino, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::FBIG)?;
        let (file, returns) = {
            let mut state = self.state();
            self.prepare_length(&mut state, ino, end)?;
            (state.mark_written(ino)?, self.returns())
        };
        let written = file.write_at(bytes, offset).map_err(errno);
        let mut state = self.state_since(returns)?;
        // Who recorded or synced the file meanwhile may have done so before the bytes were there.
        state.mark_written(ino)?;
        let inode = state.table.inode_mut(ino).ok_or(Errno::NOENT)?;
        if let Err(error) = written {
            let size = inode.size;
            return state.give_back(ino, size).and(Err(error));
        }
        inode.size = inode.size.max(end);
        let now = Time::now();
        (inode.times.modified, inode.times.changed) = (now, now);
        Ok(())
    }

    /// Makes room for a length as posix_fallocate(3) does: the file grows, filled with zeros.
    ///
    /// # Errors
    /// As [`Home::write`].
    pub fn allocate(&self, ino: Ino, length: u64) -> Result<()> {
        self.with_space(|| self.allocate_once(ino, length))
    }

    fn allocate_once(&self, ino: Ino, length: u64) -> Result<()> {
        let mut state = self.state();
        // Else what the kernel has just written by itself would be cut off.
        state.take_over_writes(ino)?;
        let held = state.files.get(&ino).ok_or(Errno::BADF)?.file.facts();
        if length <= held.map_err(errno)?.size {
            return Ok(());
        }
        let mut state = self.grow(state, ino, length)?;
        let now = Time::now();
        let inode = state.table.inode_mut(ino).ok_or(Errno::NOENT)?;
        inode.size = inode.size.max(length);
        (inode.times.modified, inode.times.changed) = (now, now);
        Ok(())
    }

    /// Makes the lower of an open file longer. FAT writes out zeros for that, gigabytes of them if
    /// need be, so nobody waits for it but who has asked.
    fn grow<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<M>>,
        ino: Ino,
        length: u64,
    ) -> Result<MutexGuard<'a, State<M>>> {
        let size = state.table.inode(ino).ok_or(Errno::NOENT)?.size;
        self.prepare_length(&mut state, ino, length)?;
        let (file, returns) = (state.mark_written(ino)?, self.returns());
        drop(state);
        let grown = file.set_len(length).map_err(errno);
        let mut state = self.state_since(returns)?;
        // Who recorded it meanwhile may have done so before it was longer.
        state.mark_written(ino)?;
        match grown {
            Ok(()) => Ok(state),
            Err(error) => state.give_back(ino, size).and(Err(error)),
        }
    }

    /// The state, unless the medium was away since it had come back so often: what was written then went to
    /// the one that is gone.
    fn state_since(&self, returns: u64) -> Result<MutexGuard<'_, State<M>>> {
        let state = self.state();
        if self.returns() == returns {
            Ok(state)
        } else {
            Err(Errno::IO)
        }
    }

    /// Sets the length; what a file gains reads as zeros and takes no space yet.
    pub(super) fn resize(&self, ino: Ino, size: u64) -> Result<()> {
        match self.attributes(ino)?.kind {
            Kind::File => {}
            Kind::Directory => return Err(Errno::ISDIR),
            _ => return Err(Errno::INVAL),
        }
        self.open_file(ino)?;
        let resized = self.resize_open(ino, size);
        let released = self.release(ino);
        resized.and(released)
    }

    fn resize_open(&self, ino: Ino, size: u64) -> Result<()> {
        let mut state = self.state();
        if i64::try_from(size).is_err() {
            return Err(Errno::FBIG);
        }
        let file = state.mark_written(ino)?;
        let exact = state.files.get(&ino).is_some_and(|open| open.exact);
        let held = file.facts().map_err(errno)?.size;
        if size < held {
            state.cut.add(&file);
            file.set_len(size).map_err(errno)?;
            self.drop_parts(&mut state, ino, size)?;
        } else if exact {
            state = self.grow(state, ino, size)?;
        }
        state.table.inode_mut(ino).ok_or(Errno::NOENT)?.size = size;
        Ok(())
    }

    /// The lower file of `ino`, opened.
    pub(super) fn load(&self, state: &State<M>, ino: Ino) -> Result<Arc<SplitFile<M::File>>> {
        let inode = state.table.inode(ino).ok_or(Errno::NOENT)?;
        match inode.kind {
            Kind::File => {}
            Kind::Directory => return Err(Errno::ISDIR),
            _ => return Err(Errno::INVAL),
        }
        let count = state.table.lower(ino).ok_or(Errno::IO)?.parts;
        let open = |number| {
            let path = state.table.part_path(ino, number).ok_or(Errno::IO)?;
            self.medium.open(&path).map_err(errno)
        };
        let parts = (1..=count).map(open).collect::<Result<Vec<_>>>()?;
        let limits = self.medium.limits();
        let part_size = match count {
            1 => limits.part_size,
            _ => limits.part_size_of_split(),
        };
        Ok(Arc::new(SplitFile::new(parts, part_size)))
    }

    /// Makes the parts a file of `length` bytes needs.
    fn prepare_length(&self, state: &mut State<M>, ino: Ino, length: u64) -> Result<()> {
        if i64::try_from(length).is_err() {
            return Err(Errno::FBIG);
        }
        let file = Arc::clone(&state.files.get(&ino).ok_or(Errno::BADF)?.file);
        let needed = parts_needed(length, file.part_size()).ok_or(Errno::FBIG)?;
        let lower = state.table.lower(ino).ok_or(Errno::IO)?.clone();
        for number in lower.parts + 1..=needed {
            let path = state.table.part_path(ino, number).ok_or(Errno::IO)?;
            let part = self.medium.create(&path).map_err(errno)?;
            file.push(part).map_err(errno)?;
            state.note_name(lower.place.dir);
            state.record_one(Record::Lower(
                ino,
                Lower {
                    parts: number,
                    ..lower.clone()
                },
            ))?;
        }
        Ok(())
    }

    /// Removes the parts a file of `size` bytes does not need.
    fn drop_parts(&self, state: &mut State<M>, ino: Ino, size: u64) -> Result<()> {
        let file = Arc::clone(&state.files.get(&ino).ok_or(Errno::BADF)?.file);
        let needed = parts_needed(size, file.part_size()).ok_or(Errno::FBIG)?;
        let lower = state.table.lower(ino).ok_or(Errno::IO)?.clone();
        for number in (needed + 1..=lower.parts).rev() {
            let path = state.table.part_path(ino, number).ok_or(Errno::IO)?;
            self.medium.unlink(&path).map_err(errno)?;
        }
        if needed < lower.parts {
            state.cut.add_many();
            file.truncate_parts(usize::from(needed));
            state.record_one(Record::Lower(
                ino,
                Lower {
                    parts: needed,
                    ..lower
                },
            ))?;
        }
        Ok(())
    }
}

impl<M: Medium> State<M> {
    /// Records size, times and print of an open file if they have changed.
    pub(super) fn record_content(&mut self, ino: Ino) -> Result<()> {
        self.take_over_writes(ino)?;
        let Some(open) = self.files.get_mut(&ino) else {
            return Ok(());
        };
        let touched = std::mem::take(&mut open.touched);
        let (unseen, direct, file) = (open.unseen, open.direct, Arc::clone(&open.file));
        if !(touched || unseen) || self.table.inode(ino).is_none() {
            return Ok(());
        }
        let lower = self.table.lower(ino).ok_or(Errno::IO)?.clone();
        // What the kernel alone writes has just been looked at.
        let seen = direct.map_or_else(|| file.facts().map_err(errno), |(seen, _)| Ok(seen))?;
        let seen = print(&seen);
        // The kernel wrote by itself, through a mapping: nobody told us when.
        let unseen = unseen && !touched && seen != lower.print;
        if !(touched || unseen) {
            return Ok(());
        }
        if unseen {
            self.note_content(ino);
        }
        let mut batch = self.begin_in_any_case()?;
        self.apply_inode(&mut batch, ino, |inode| {
            if unseen {
                let now = Time::now();
                (inode.times.modified, inode.times.changed) = (now, now);
            }
        })?;
        self.apply(
            &mut batch,
            Record::Lower(
                ino,
                Lower {
                    print: seen,
                    ..lower
                },
            ),
        )?;
        self.finish(batch)
    }

    /// Takes from an open file what a failed change has put behind its `size`.
    fn give_back(&mut self, ino: Ino, size: u64) -> Result<()> {
        let open = self.files.get(&ino).ok_or(Errno::BADF)?;
        // What the kernel may have written meanwhile cannot be told from it.
        if open.direct.is_none() && open.file.facts().map_err(errno)?.size > size {
            let file = Arc::clone(&open.file);
            file.set_len(size).map_err(errno)?;
            self.cut.add(&file);
        }
        Ok(())
    }

    /// Notes that an open file is about to change.
    fn mark_written(&mut self, ino: Ino) -> Result<Arc<SplitFile<M::File>>> {
        let open = self.files.get_mut(&ino).ok_or(Errno::BADF)?;
        open.touched = true;
        open.fresh = None;
        let file = Arc::clone(&open.file);
        self.note_content(ino);
        Ok(file)
    }
}
