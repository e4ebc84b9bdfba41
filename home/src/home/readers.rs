//! Files opened to be read whose lower is not opened before somebody does read.
//!
//! The kernel keeps small files in its memory, so most reads of them never come here, and then the
//! medium is not touched at all.

use super::{Home, Ino, Kind, Medium, OpenFile, OpenedFile, Result, State};
use crate::parts::SplitFile;
use rustix::io::Errno;
use std::sync::Arc;

/// Longest file that waits, in bytes: longer ones are read from the lower by the kernel itself.
const SMALL: u64 = 64 << 10;

impl<M: Medium> Home<M> {
    /// Opens a regular file for reading only. `None` if it is small and nobody has it open otherwise:
    /// then it is served by [`Home::read`]. Every success needs one [`Home::release`].
    ///
    /// # Errors
    /// As [`Home::open_file`].
    pub fn open_to_read(&self, ino: Ino) -> Result<Option<OpenedFile<M>>> {
        let mut state = self.state();
        let inode = state.table.inode(ino).ok_or(Errno::NOENT)?;
        let waits = inode.kind == Kind::File && inode.size <= SMALL;
        let waits = waits && !state.mapped.contains(&ino);
        if waits && !state.files.contains_key(&ino) {
            *state.readers.entry(ino).or_default() += 1;
            return Ok(None);
        }
        let file = self.open_in(&mut state, ino)?;
        Ok(Some(OpenedFile { file }))
    }

    /// Opens a file once more.
    pub(super) fn open_in(
        &self,
        state: &mut State<M>,
        ino: Ino,
    ) -> Result<Arc<SplitFile<M::File>>> {
        if !state.files.contains_key(&ino) {
            self.open_below(state, ino)?;
        }
        let open = state.files.get_mut(&ino).ok_or(Errno::BADF)?;
        open.opens += 1;
        Ok(Arc::clone(&open.file))
    }

    /// The content of a file that is open.
    pub(super) fn content(
        &self,
        state: &mut State<M>,
        ino: Ino,
    ) -> Result<Arc<SplitFile<M::File>>> {
        if let Some(open) = state.files.get(&ino) {
            return Ok(Arc::clone(&open.file));
        }
        if !state.readers.contains_key(&ino) {
            return Err(Errno::BADF);
        }
        self.open_below(state, ino)
    }

    /// Opens the lower of a file, for all who have waited for that.
    fn open_below(&self, state: &mut State<M>, ino: Ino) -> Result<Arc<SplitFile<M::File>>> {
        let file = self.load(state, ino)?;
        let opens = state.readers.remove(&ino).unwrap_or_default();
        let open = OpenFile::new(Arc::clone(&file));
        state.files.insert(ino, OpenFile { opens, ..open });
        Ok(file)
    }
}

impl<M: Medium> State<M> {
    /// Ends one use of a file that still waits; whether there was one.
    pub(super) fn dismiss(&mut self, ino: Ino) -> bool {
        let Some(readers) = self.readers.get_mut(&ino) else {
            return false;
        };
        *readers -= 1;
        if *readers == 0 {
            self.readers.remove(&ino);
        }
        true
    }
}
