//! What is saved: the upper layer of the running system.

use std::{os::fd::OwnedFd, path::PathBuf};

use wendy_store::{BaseImage, Generation, SessionId, Stack, UpperKind};
use wendy_sys::{DevNum, mount::Space};

use super::Result;
use crate::model::Condition;

/// The upper layer of a running live system.
#[derive(Debug)]
pub struct Source {
    /// The directory itself.
    pub upper: OwnedFd,
    /// The stack that runs.
    pub stack: Stack,
    /// How it keeps changes.
    pub kind: UpperKind,
    /// The image below.
    pub base: BaseImage,
    /// Where other filesystems are mounted: what lies below is not part of the session.
    pub mount_points: Vec<PathBuf>,
    /// Files that are swapped to.
    pub swap_files: Vec<PathBuf>,
    /// The session the system was started from, if its changes are kept in one.
    pub started_from: Option<StartedFrom>,
}

/// The session a running system was started from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartedFrom {
    /// Device number of the filesystem of its store.
    pub store: DevNum,
    /// The session.
    pub session: SessionId,
    /// The generation whose upper layer is written to.
    pub generation: Generation,
}

/// Finds the upper layer; asked anew for every save.
pub trait UpperSource: Send + Sync + std::fmt::Debug {
    /// Opens it.
    ///
    /// # Errors
    /// [`Error::NotLive`](super::Error::NotLive), or why it cannot be reached.
    fn open(&self) -> Result<Source>;

    /// Room on the filesystem that holds it; nothing if it is not known. Must not block.
    fn space(&self) -> Space;

    /// What happens to changes made now. Must not block.
    fn condition(&self) -> Condition;
}
