//! Lower files the kernel uses by itself, and what it does with them unseen.

use super::{Errno, Home, Ino, Medium, OpenFile, Result, State, Time, errno};

/// Free bytes with which the kernel may write by itself although removed files still take space: more
/// than is written until somebody looks again, with the next commit.
const ROOMY: u64 = 4 << 30;
/// Most bytes that a file is made longer by, which FAT writes out as zeros while everybody waits.
const HOLE: u64 = 4 << 20;
/// Free bytes below which removed files make room at once if the kernel writes by itself.
const TIGHT: u64 = 256 << 20;

impl<M: Medium> Home<M> {
    /// Makes the lower file as long as the file is, because the kernel is going to use it directly,
    /// and keeps it so until the last release. Files in several parts cannot be.
    ///
    /// # Errors
    /// `EINVAL` for several parts and for much that is missing, those of the medium.
    pub fn make_exact(&self, ino: Ino) -> Result<()> {
        let mut state = self.state();
        let size = state.table.inode(ino).ok_or(Errno::NOENT)?.size;
        let open = state.files.get_mut(&ino).ok_or(Errno::BADF)?;
        if open.file.count() != 1 {
            return Err(Errno::INVAL);
        }
        // Nothing is missing of a file that has just been made.
        if size > 0 {
            open.fill(size)?;
        }
        open.exact = true;
        Ok(())
    }

    /// Notes that the kernel may change an open file by itself; says whether it may do so with all
    /// writes, or only through mappings, which cannot make a file longer.
    ///
    /// Writes go through us where the file may need a further part, and where removed files keep
    /// space that a write may soon need. `mapped` says whether it is open for mappings to be written to.
    pub fn let_kernel_write(&self, ino: Ino, mapped: bool) -> bool {
        let mut state = self.state();
        let garbage = state.table.garbage().next().is_some();
        let may = self.has_one_part_only() && (!garbage || self.has_free(ROOMY));
        let state = &mut *state;
        let Some(open) = state.files.get_mut(&ino) else {
            return false;
        };
        open.unseen = true;
        if mapped {
            state.mapped.insert(ino);
        }
        if may && open.direct.is_none() {
            let facts = open.fresh.take().or_else(|| open.file.facts().ok());
            open.direct = facts.map(|facts| (facts, Time::now()));
        }
        open.direct.is_some()
    }

    /// Whether an open file has more than the one part that the kernel reads, or may soon have.
    #[must_use]
    pub fn may_outgrow(&self, ino: Ino) -> bool {
        let state = self.state();
        let open = state.files.get(&ino);
        let may = open.is_some_and(|open| open.unseen || open.file.count() > 1);
        may && !self.has_one_part_only()
    }

    /// Whether the medium takes a file of any length in one part.
    fn has_one_part_only(&self) -> bool {
        self.medium.limits().part_size == u64::MAX
    }

    /// Whether removed files keep space that a write of the kernel's own may need, of which we hear
    /// too late.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        let state = self.state();
        let garbage = state.table.garbage().next().is_some();
        let direct = state.files.values().any(|open| open.direct.is_some());
        garbage && direct && !self.has_free(TIGHT)
    }

    fn has_free(&self, bytes: u64) -> bool {
        self.medium.space().is_ok_and(|space| space.free >= bytes)
    }
}

impl<M: Medium> OpenFile<M> {
    /// Writes out what is missing of the lower of a file of `size` bytes.
    fn fill(&mut self, size: u64) -> Result<()> {
        let held = self.file.facts().map_err(errno)?.size;
        if size > held.saturating_add(HOLE) {
            return Err(Errno::INVAL);
        }
        if size > held {
            if let Err(error) = self.file.set_len(size) {
                self.file.set_len(held).map_err(errno)?;
                return Err(errno(error));
            }
            // Else the next use would take it for a stranger's edit.
            self.touched = true;
        }
        Ok(())
    }
}

impl<M: Medium> State<M> {
    /// Takes over size and time of what the kernel has written by itself.
    pub(super) fn take_over_writes(&mut self, ino: Ino) -> Result<()> {
        let Some(open) = self.files.get_mut(&ino) else {
            return Ok(());
        };
        let Some((before, looked)) = open.direct else {
            return Ok(());
        };
        let now = open.file.facts().map_err(errno)?;
        if now == before {
            return Ok(());
        }
        (open.direct, open.touched) = (Some((now, Time::now())), true);
        self.note_content(ino);
        let inode = self.table.inode_mut(ino).ok_or(Errno::NOENT)?;
        let modified = Time {
            seconds: now.modified,
            nanos: now.modified_nanos,
        };
        // The clock of the lower may be coarse, and behind what has been told already.
        let modified = modified.max(looked);
        (inode.times.modified, inode.times.changed) = (modified, modified);
        inode.size = now.size;
        Ok(())
    }
}
