//! Giving a medium that casper made the marker of a store.
//!
//! The one write that a look may cause. Only for what casper laid out itself, on a clean
//! filesystem that nobody uses; the marker is one small file, and casper takes no notice of it.

use std::os::fd::AsFd;

use wendy_store::{Name, StoreId, StoreRecord, layout};
use wendy_sys::{
    block::BlockDevice,
    dir::{entries, make_dir, write_atomic},
    mount::{DetachedMount, MountFlags, of_device, syncfs},
};

use crate::{clock, devices::Content};

/// What an adopted medium is called: it has no name of its own, only a label for machines.
const NAME: &str = "Ubuntu live session";

/// Why a medium was not adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The kernel refused.
    #[error(transparent)]
    System(#[from] wendy_sys::Error),
    /// The record could not be made.
    #[error(transparent)]
    Record(#[from] wendy_store::RecordError),
    /// It is not, or no longer, what casper lays out.
    #[error("what is on it is not what was seen on it")]
    Changed,
}

/// Writes the marker. The identity follows from the filesystem's, so that a medium that is
/// write-protected next time is still the same store.
///
/// # Errors
/// [`AdoptError`]; the medium is then as it was.
pub fn adopt(device: &BlockDevice, content: &Content) -> Result<(), AdoptError> {
    let name = Name::new(NAME).map_err(wendy_store::RecordError::from)?;
    let record = StoreRecord::new(StoreId::derived(&content.uuid), name, clock::now());
    let marker = record.render()?;
    let root = of_device(&content.fs_type, device, &[], MountFlags::STORE)?;
    check_layout(&root)?;
    device.verify(&device.identity())?;
    let directory = make_dir(&root, layout::ROOT, 0o755)?;
    write_atomic(directory.as_fd(), layout::RECORD, &marker, 0o644)?;
    syncfs(&root)?;
    tracing::info!(device = %device.node().display(), "adopted a medium made by casper");
    Ok(())
}

/// Looks again, through the very mount that is written to.
fn check_layout(root: &DetachedMount) -> Result<(), AdoptError> {
    let found = entries(root)?;
    let has = |name: &str| found.iter().any(|entry| entry.name == name);
    if has(layout::UPPER) && has(layout::WORK) && !has(layout::ROOT) {
        Ok(())
    } else {
        Err(AdoptError::Changed)
    }
}
