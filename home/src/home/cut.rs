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
pub(super) struct Cut<F> {
    /// Each with the number of its last cut.
    files: Vec<(Arc<SplitFile<F>>, u64)>,
    /// There are more, or such that are gone by now.
    many: bool,
    /// Cuts so far.
    cuts: u64,
}

impl<F> Default for Cut<F> {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            many: false,
            cuts: 0,
        }
    }
}

impl<F: MediumFile> Cut<F> {
    /// Notes a file that is being made shorter.
    pub(super) fn add(&mut self, file: &Arc<SplitFile<F>>) {
        self.cuts += 1;
        self.files.retain(|(known, _)| !Arc::ptr_eq(known, file));
        self.files.push((Arc::clone(file), self.cuts));
        if self.files.len() > MOST {
            self.add_many();
        }
    }

    /// Notes that files are shorter that cannot be synced one by one.
    pub(super) fn add_many(&mut self) {
        self.many = true;
        self.files.clear();
    }

    /// Cuts so far, to be told to [`Cut::synced`].
    pub(super) fn count(&self) -> u64 {
        self.cuts
    }

    /// Notes that a file has been made durable as it was after so many cuts.
    pub(super) fn synced(&mut self, file: &Arc<SplitFile<F>>, cuts: u64) {
        self.files
            .retain(|(known, at)| *at > cuts || !Arc::ptr_eq(known, file));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.many
    }

    /// What there is, taken as durable from here.
    fn take(&mut self) -> Self {
        Self {
            files: std::mem::take(&mut self.files),
            many: std::mem::take(&mut self.many),
            cuts: self.cuts,
        }
    }

    fn sync(&self, medium: &impl Medium<File = F>) -> io::Result<()> {
        if self.many {
            return medium.sync_all();
        }
        self.files.iter().try_for_each(|(file, _)| file.sync())
    }
}

impl<M: Medium> Home<M> {
    /// Makes durable what files have given up; the caller holds `syncing`.
    pub(super) fn sync_cut(&self) -> Result<()> {
        let cut = self.state().cut.take();
        let synced = cut.sync(&*self.medium);
        if synced.is_err() {
            self.state().cut.add_many();
        }
        synced.map_err(errno)
    }

    /// Makes everything on the medium durable; the caller holds `syncing`.
    pub(super) fn sync_medium(&self) -> Result<()> {
        // Of a removed file, what is still open here keeps its space.
        self.state().cut.add_many();
        self.sync_cut()
    }
}

impl<M: Medium> State<M> {
    /// Makes durable what files have given up, before the store grows, while everybody waits: that is
    /// rarely both at once.
    pub(super) fn sync_cut(&mut self) -> Result<()> {
        if !self.cut.is_empty() {
            self.medium.sync_all().map_err(errno)?;
            self.cut.take();
        }
        Ok(())
    }
}
