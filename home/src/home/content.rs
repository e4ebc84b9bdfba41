//! Content: opening, reading, writing, resizing.

use super::{Errno, Home, Ino, Kind, Medium, Record, Result, State, Time, errno, print};
use crate::parts::SplitFile;
use crate::record::Lower;
use std::io;
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
        let state = self.make_parts(self.state(), ino, end)?;
        let write = |file: &SplitFile<_>| file.write_at(bytes, offset);
        let (mut state, written) = self.beside_others(state, ino, write)?;
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

    /// Changes the lower of an open file while others have the state; how that went.
    pub(super) fn beside_others<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<M>>,
        ino: Ino,
        change: impl FnOnce(&SplitFile<M::File>) -> io::Result<()>,
    ) -> Result<(MutexGuard<'a, State<M>>, Result<()>)> {
        let (file, returns) = (state.mark_written(ino)?, self.returns());
        drop(state);
        let changed = change(&file).map_err(errno);
        let mut state = self.state();
        // If the medium was away meanwhile, it went to the one that is gone.
        if self.returns() != returns {
            return Err(Errno::IO);
        }
        // Who recorded or synced the file meanwhile may have done so before it was changed.
        state.mark_written(ino)?;
        Ok((state, changed))
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

    /// Notes that an open file is about to change.
    pub(super) fn mark_written(&mut self, ino: Ino) -> Result<Arc<SplitFile<M::File>>> {
        let open = self.files.get_mut(&ino).ok_or(Errno::BADF)?;
        open.touched = true;
        open.fresh = None;
        let file = Arc::clone(&open.file);
        self.note_content(ino);
        Ok(file)
    }
}
