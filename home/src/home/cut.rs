//! Files made shorter.
//!
//! The medium may keep the old entry of such a file for a while, and with it the claim to clusters that
//! another file has got meanwhile. FAT has no order of writes: after a crash, fsck.fat takes what two
//! entries claim from one of them, whichever that is. So what was cut off is durably so before anything
//! is promised that may lie there.

use super::{Home, Medium, Result, State, errno};
use crate::medium::MediumFile;
use crate::parts::SplitFile;
use std::io;
use std::sync::Arc;

/// With more files than this, everything on the medium is made durable.
const MOST: usize = 16;

/// Files that the medium may still believe to be longer.
#[derive(Debug)]
pub(super) enum Cut<F> {
    /// These.
    Files(Vec<Arc<SplitFile<F>>>),
    /// More, or such that are gone by now.
    Many,
}

impl<F> Default for Cut<F> {
    fn default() -> Self {
        Self::Files(Vec::new())
    }
}

impl<F: MediumFile> Cut<F> {
    /// Notes a file that is being made shorter.
    pub(super) fn add(&mut self, file: &Arc<SplitFile<F>>) {
        match self {
            Self::Files(files) if files.iter().any(|known| Arc::ptr_eq(known, file)) => {}
            Self::Files(files) if files.len() < MOST => files.push(Arc::clone(file)),
            _ => *self = Self::Many,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Files(files) if files.is_empty())
    }

    fn sync(&self, medium: &impl Medium<File = F>) -> io::Result<()> {
        match self {
            Self::Files(files) => files.iter().try_for_each(|file| file.sync()),
            Self::Many => medium.sync_all(),
        }
    }
}

impl<M: Medium> Home<M> {
    /// Makes durable what files have given up; the caller holds `syncing`.
    pub(super) fn sync_cut(&self) -> Result<()> {
        let cut = std::mem::take(&mut self.state().cut);
        let synced = cut.sync(&*self.medium);
        if synced.is_err() {
            self.state().cut = Cut::Many;
        }
        synced.map_err(errno)
    }

    /// Makes everything on the medium durable; the caller holds `syncing`.
    pub(super) fn sync_medium(&self) -> Result<()> {
        // Of a removed file, what is still open here keeps its space.
        self.state().cut = Cut::Many;
        self.sync_cut()
    }
}

impl<M: Medium> State<M> {
    /// Makes durable what files have given up, before the store grows, while everybody waits: that is
    /// rarely both at once.
    pub(super) fn sync_cut(&mut self) -> Result<()> {
        if !self.cut.is_empty() {
            self.medium.sync_all().map_err(errno)?;
            self.cut = Cut::default();
        }
        Ok(())
    }
}
