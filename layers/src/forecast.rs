//! What a save would write, found out by looking at every entry once.

mod needs;
mod survey;

use rustix::fd::BorrowedFd;

use crate::{Exclude, Index, Progress, Result, Totals};

use survey::survey;

/// What a save would amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Everything the upper holds, less the excluded.
    pub total: Totals,
    /// What is new or has changed since the index was made; all of it without an index.
    pub changed: Totals,
    /// Entries the index knows that are gone.
    pub removed: u64,
    /// Bytes that an ext4 destination needs for it, metadata included; rather too much than too
    /// little.
    pub space: u64,
    /// Inodes that the destination needs for it.
    pub inodes: u64,
}

impl Forecast {
    /// Whether the last save is still true to the last byte, so that there is nothing to do.
    pub fn is_unchanged(&self) -> bool {
        self.changed.entries == 0 && self.removed == 0
    }
}

/// How closely to look at what seems unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Believe the inodes. Fast, and misses what a program wrote through a mapping.
    Inodes,
    /// Read the data wherever an inode may deceive.
    Data,
}

/// Looks at the whole `upper`. `known` is the index of the copy that would be updated; files that
/// prove to have changed behind their inode's back are forgotten in it, so that the update copies
/// them as well.
///
/// # Errors
/// [`crate::Error::Read`], [`crate::Error::Cancelled`].
pub fn forecast(
    upper: BorrowedFd<'_>,
    exclude: &Exclude,
    known: Option<&mut Index>,
    look: Look,
    progress: &dyn Progress,
) -> Result<Forecast> {
    let (forecast, silent) = survey(upper, exclude, known.as_deref(), look, progress)?;
    if let Some(known) = known {
        silent.into_iter().for_each(|key| known.forget(key));
    }
    Ok(forecast)
}

/// Reads the data of everything that has not changed since the index `before` was made, as far as
/// inodes tell. What has changed nevertheless is forgotten in `now`, the index of a copy made since,
/// so that the next update copies it. Returns how many files that are.
///
/// # Errors
/// As [`forecast`].
pub fn confirm(
    upper: BorrowedFd<'_>,
    exclude: &Exclude,
    (before, now): (&Index, &mut Index),
    progress: &dyn Progress,
) -> Result<u64> {
    let (_, silent) = survey(upper, exclude, Some(before), Look::Data, progress)?;
    silent.iter().for_each(|key| now.forget(*key));
    Ok(silent.len() as u64)
}
