//! Length: of open files, of the parts they are kept in, and the zeros that FAT fills them with.

use super::{Errno, Home, Ino, Kind, Medium, Record, Result, State, Time, errno};
use crate::medium::MediumFile as _;
use crate::parts::{SplitFile, parts_needed};
use crate::record::Lower;
use std::sync::{Arc, MutexGuard};

impl<M: Medium> Home<M> {
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
        state: MutexGuard<'a, State<M>>,
        ino: Ino,
        length: u64,
    ) -> Result<MutexGuard<'a, State<M>>> {
        let size = state.table.inode(ino).ok_or(Errno::NOENT)?.size;
        let state = self.make_parts(state, ino, length)?;
        let (mut state, grown) = self.beside_others(state, ino, |file| file.set_len(length))?;
        match grown {
            Ok(()) => Ok(state),
            Err(error) => state.give_back(ino, size).and(Err(error)),
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
            state.drop_parts(ino, size)?;
        } else if exact {
            state = self.grow(state, ino, size)?;
        }
        state.table.inode_mut(ino).ok_or(Errno::NOENT)?.size = size;
        Ok(())
    }

    /// Makes the parts a file of `length` bytes needs.
    pub(super) fn make_parts<'a>(
        &'a self,
        state: MutexGuard<'a, State<M>>,
        ino: Ino,
        length: u64,
    ) -> Result<MutexGuard<'a, State<M>>> {
        if i64::try_from(length).is_err() {
            return Err(Errno::FBIG);
        }
        let file = Arc::clone(&state.files.get(&ino).ok_or(Errno::BADF)?.file);
        let needed = parts_needed(length, file.part_size()).ok_or(Errno::FBIG)?;
        if state.table.lower(ino).ok_or(Errno::IO)?.parts >= needed {
            return Ok(state);
        }
        let held = file.facts().map_err(errno)?.size;
        self.add_parts(state, ino, &file, needed).or_else(|error| {
            let mut state = self.state();
            state.cut_back(&file, held)?;
            state.drop_parts(ino, held)?;
            Err(error)
        })
    }

    fn add_parts<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<M>>,
        ino: Ino,
        file: &SplitFile<M::File>,
        needed: u16,
    ) -> Result<MutexGuard<'a, State<M>>> {
        while state.table.lower(ino).ok_or(Errno::IO)?.parts < needed {
            state = self.fill_last_part(state, ino, file)?;
            self.add_part(&mut state, ino, file)?;
        }
        Ok(state)
    }

    /// Fills the last part, so that another can follow. That may be gigabytes of zeros, so nobody waits for
    /// it but who has asked.
    fn fill_last_part<'a>(
        &'a self,
        state: MutexGuard<'a, State<M>>,
        ino: Ino,
        file: &SplitFile<M::File>,
    ) -> Result<MutexGuard<'a, State<M>>> {
        let last = file.last().ok_or(Errno::IO)?;
        if last.facts().map_err(errno)?.size == file.part_size() {
            return Ok(state);
        }
        let fill = |file: &SplitFile<_>| last.set_len(file.part_size());
        let (state, filled) = self.beside_others(state, ino, fill)?;
        filled.map(|()| state)
    }

    /// Appends an empty part.
    fn add_part(&self, state: &mut State<M>, ino: Ino, file: &SplitFile<M::File>) -> Result<()> {
        let lower = state.table.lower(ino).ok_or(Errno::IO)?.clone();
        let parts = lower.parts + 1;
        let path = state.table.part_path(ino, parts).ok_or(Errno::IO)?;
        file.push(self.medium.create(&path).map_err(errno)?);
        state.note_name(lower.place.dir);
        let recorded = state.record_one(Record::Lower(ino, Lower { parts, ..lower }));
        if recorded.is_err() {
            // Else it would be in the way of the next one.
            file.truncate_parts(usize::from(parts) - 1);
            self.medium.unlink(&path).map_err(errno)?;
        }
        recorded
    }
}

impl<M: Medium> State<M> {
    /// Takes from an open file what a failed change has put behind its `size`.
    pub(super) fn give_back(&mut self, ino: Ino, size: u64) -> Result<()> {
        let open = self.files.get(&ino).ok_or(Errno::BADF)?;
        // What the kernel may have written meanwhile cannot be told from it.
        if open.direct.is_none() && open.file.facts().map_err(errno)?.size > size {
            let file = Arc::clone(&open.file);
            self.cut_back(&file, size)?;
            self.drop_parts(ino, size)?;
        }
        Ok(())
    }

    fn cut_back(&mut self, file: &Arc<SplitFile<M::File>>, size: u64) -> Result<()> {
        self.cut.add(file);
        file.set_len(size).map_err(errno)
    }

    /// Removes the parts a file of `size` bytes does not need.
    fn drop_parts(&mut self, ino: Ino, size: u64) -> Result<()> {
        let file = Arc::clone(&self.files.get(&ino).ok_or(Errno::BADF)?.file);
        let needed = parts_needed(size, file.part_size()).ok_or(Errno::FBIG)?;
        let lower = self.table.lower(ino).ok_or(Errno::IO)?.clone();
        for number in (needed + 1..=lower.parts).rev() {
            let path = self.table.part_path(ino, number).ok_or(Errno::IO)?;
            self.medium.unlink(&path).map_err(errno)?;
        }
        if needed < lower.parts {
            self.cut.add_many();
            file.truncate_parts(usize::from(needed));
            self.record_one(Record::Lower(
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
