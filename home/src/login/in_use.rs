//! A home in use that its stick may leave, and come back to.

use super::open::mount_image;
use super::plugged::OnPlugged;
use crate::home::{Home, Stale};
use crate::image::Image;
use crate::image::check::Thoroughness;
use crate::image::serve::Shown;
use crate::medium::directory::DirectoryMedium;
use fuser::{INodeNo, Notifier};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

/// What can do without its stick for a while.
pub trait InUse: Send + 'static {
    /// The stick was pulled: until it is back everything that needs it fails with `EIO`.
    fn pulled(&self);

    /// The stick is back, with the same home in the directory for it, which is locked.
    ///
    /// # Errors
    /// Why it cannot go on.
    fn resume(&self, medium: DirectoryMedium) -> anyhow::Result<()>;
}

/// A home of files: it is read anew, as after any other interruption, and the kernel forgets what it
/// remembers of it. Files that were open stay open.
#[derive(Debug)]
pub struct Files<M: OnPlugged> {
    /// The home.
    pub home: Arc<Home<M>>,
    /// The kernel that shows it.
    pub kernel: Notifier,
}

impl<M: OnPlugged> InUse for Files<M> {
    fn pulled(&self) {
        self.home.medium().plugged().pull();
    }

    fn resume(&self, medium: DirectoryMedium) -> anyhow::Result<()> {
        let resumed = self.home.resume(|lower| lower.plugged().put(medium));
        if resumed.is_err() {
            self.pulled();
        }
        self.forget(&resumed?);
        Ok(())
    }
}

impl<M: OnPlugged> Files<M> {
    /// Makes the kernel ask again about what it may remember. That it remembers nothing of most of
    /// it is no error.
    fn forget(&self, stale: &Stale) {
        for (dir, name) in &stale.names {
            let _ = self
                .kernel
                .inval_entry(INodeNo(dir.0), OsStr::from_bytes(name));
        }
        for ino in &stale.inodes {
            let _ = self.kernel.inval_inode(INodeNo(ino.0), 0, 0);
        }
    }
}

/// A home in an image: it is checked and mounted anew at the same place. Files that were open, and
/// directories that somebody is in, stay dead.
#[derive(Debug)]
pub struct InImage {
    /// Where it is shown.
    pub shown: Arc<Shown>,
    /// Number of the user and of the user's group.
    pub owner: (u32, u32),
    /// Whether the stick is write-protected.
    pub read_only: bool,
}

impl InUse for InImage {
    fn pulled(&self) {
        if let Err(error) = self.shown.shut_down() {
            tracing::error!(%error, "what is written now will be lost");
        }
    }

    fn resume(&self, medium: DirectoryMedium) -> anyhow::Result<()> {
        let image = Image::open(&medium, self.read_only)?;
        // It was not unmounted, and nobody knows where it has been.
        let mounted = mount_image(&image, Thoroughness::Full, self.owner)?;
        Ok(self.shown.replace(mounted)?)
    }
}
