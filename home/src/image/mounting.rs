//! An image as a mounted filesystem.

use super::check::Thoroughness;
use super::making::tidy;
use super::{Image, ImageError, Result};
use rustix::fs::{Mode, OFlags, fstat};
use rustix::io::Errno;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;
use wendy_sys::loopdev::{Loop, LoopOptions};
use wendy_sys::mount::{self, DetachedMount, MountFlags};
use wendy_sys::{DevNum, Error, mountinfo};

/// How often a device that was let go just now is asked for again, and when.
const ATTEMPTS: u32 = 40;
const BETWEEN: Duration = Duration::from_millis(50);

/// What a home needs and what it must not have: programs and links work, no file of it has power,
/// and reading writes nothing.
const FLAGS: MountFlags = MountFlags {
    read_only: false,
    nosuid: true,
    nodev: true,
    noexec: false,
    nosymfollow: false,
    noatime: true,
};

/// A mounted image, without a place in the tree as long as it is not [attached](Self::attach).
#[derive(Debug)]
pub struct MountedImage {
    tree: DetachedMount,
    device: Loop,
}

impl MountedImage {
    /// Mounts an image that [is sound](Image::check).
    ///
    /// # Errors
    /// [`ImageError::Busy`], those of loop(4) and mount(2).
    pub fn of(image: &Image) -> Result<Self> {
        not_shown(image)?;
        let device = attach(image)?;
        let read_only = image.read_only;
        let mut params = vec![("errors", Some("remount-ro"))];
        if read_only {
            // What waits in the journal cannot be brought to its place.
            params.push(("noload", None));
        } else {
            // All of it reads as zeros already, and an idle stick is not written to.
            params.push(("noinit_itable", None));
        }
        let flags = MountFlags { read_only, ..FLAGS };
        let tree = mount::detached("ext4", Some(device.node()), &params, flags)?;
        tidy(&tree)?;
        Ok(Self { tree, device })
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> BorrowedFd<'_> {
        self.tree.as_fd()
    }

    /// Lets the home belong to a user and group of this machine, whatever the owner's numbers in it.
    ///
    /// # Errors
    /// Those of mount_setattr(2).
    pub fn owned_by(self, ours: (u32, u32)) -> Result<Self> {
        let stat = fstat(self.root())?;
        mount::exchange_owner(&self.tree, (stat.st_uid, stat.st_gid), ours)?;
        Ok(self)
    }

    /// Shows it at a directory; the device that stays must be kept as long as it is shown.
    ///
    /// # Errors
    /// Those of move_mount(2).
    pub fn attach(self, target: &Path) -> Result<Loop> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let target = rustix::fs::open(target, flags, Mode::empty())?;
        mount::attach(&self.tree, target)?;
        Ok(self.device)
    }
}

impl Image {
    /// The root directory of the filesystem, to look at only: as it is mounted, or mounted for that
    /// alone until it is closed.
    ///
    /// # Errors
    /// [`ImageError::Damaged`] for one that is not in order, those of mounting.
    pub fn look_into(&self) -> Result<OwnedFd> {
        if let Some(place) = self.shown_at()? {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            return Ok(rustix::fs::open(place, flags, Mode::empty())?);
        }
        self.check(Thoroughness::Full)?;
        Ok(MountedImage::of(self)?.root().try_clone_to_owned()?)
    }

    /// Where it is mounted, if it is.
    ///
    /// # Errors
    /// Those of looking for the loop device.
    pub fn shown_at(&self) -> Result<Option<PathBuf>> {
        let Some(device) = Loop::showing(self.fd())? else {
            return Ok(None);
        };
        let devnum = DevNum::new(fstat(device.fd())?.st_rdev);
        let mounts = mountinfo::read()?.into_iter();
        let mut places = mounts.filter(|mount| mount.devnum == devnum);
        Ok(places.next().map(|mount| mount.mount_point))
    }
}

/// Two devices over one file would be two filesystems that destroy each other.
pub(super) fn not_shown(image: &Image) -> Result<()> {
    for _ in 0..ATTEMPTS {
        match Loop::showing(image.fd())? {
            None => return Ok(()),
            // One that was unmounted a moment ago goes by itself. Held by us it would stay.
            Some(device) if is_used(device.node()) => {
                return Err(ImageError::Busy(device.node().to_owned()));
            }
            Some(device) => drop(device),
        }
        sleep(BETWEEN);
    }
    Err(ImageError::Busy("a loop device".into()))
}

/// Whether the device is mounted, or somebody else has it for themselves (open(2), `O_EXCL`).
pub(super) fn is_used(node: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC;
    rustix::fs::open(node, flags, Mode::empty()).err() == Some(Errno::BUSY)
}

/// Past the page cache of the stick's filesystem where that is possible: the kernel would keep
/// everything twice.
fn attach(image: &Image) -> Result<Loop> {
    let options = LoopOptions {
        read_only: image.read_only,
        direct_io: true,
        ..LoopOptions::default()
    };
    match Loop::attach(image.fd(), options) {
        Err(error) if cannot(&error) => {
            let options = LoopOptions {
                direct_io: false,
                ..options
            };
            Ok(Loop::attach(image.fd(), options)?)
        }
        other => Ok(other?),
    }
}

fn cannot(error: &Error) -> bool {
    matches!(error.errno(), Some(Errno::INVAL | Errno::OPNOTSUPP))
}
