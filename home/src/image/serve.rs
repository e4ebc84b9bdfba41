//! A mounted image until its end: asked for by a signal, or brought about by umount(8).

use super::mounting::is_used;
use super::{MountedImage, Result};
use crate::mount::block_signals;
use rustix::fs::{Mode, OFlags, fstat};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use wendy_sys::DevNum;
use wendy_sys::loopdev::Loop;
use wendy_sys::mount;
use wendy_sys::mountinfo::{self, Mount, Watch};

/// How often to ask whether files of a home that is unmounted are still open.
const BETWEEN: Duration = Duration::from_millis(200);

/// An image that is shown at a directory.
///
/// When its medium is gone it can be [shut down](Self::shut_down), and when that is back
/// [replaced](Self::replace) by what is there now: the kernel cannot go on with a filesystem whose
/// device was away.
#[derive(Debug)]
pub struct Shown {
    target: PathBuf,
    /// Held while the mount is exchanged, so that nobody sees the place without one.
    device: Mutex<Loop>,
}

impl Shown {
    /// Shows the image at `target`.
    ///
    /// # Errors
    /// Those of move_mount(2).
    pub fn at(target: &Path, mounted: MountedImage) -> Result<Self> {
        Ok(Self {
            target: target.to_owned(),
            device: Mutex::new(mounted.attach(target)?),
        })
    }

    /// Lets everything fail with `EIO` that is done there, instead of being kept in memory for a device
    /// that will never take it.
    ///
    /// # Errors
    /// `ENOENT` if the home was unmounted meanwhile, those of the filesystem.
    pub fn shut_down(&self) -> Result<()> {
        let device = self.device();
        let top = open(&self.target)?;
        // Without the home the directory is one of this computer's own, whose filesystem would die.
        if fstat(&top)?.st_dev != fstat(device.fd())?.st_rdev {
            return Err(Errno::NOENT.into());
        }
        Ok(mount::shut_down(top)?)
    }

    /// Shows the image as it is on the medium that is back. What was opened before stays dead.
    ///
    /// # Errors
    /// `ENOENT` if the home was unmounted meanwhile, those of mounting.
    pub fn replace(&self, mounted: MountedImage) -> Result<()> {
        let mut device = self.device();
        if !is_mounted(&device, &mountinfo::read()?)? {
            return Err(Errno::NOENT.into());
        }
        mount::detach(&self.target, true)?;
        *device = mounted.attach(&self.target)?;
        Ok(())
    }

    /// Unmounts the home, or makes everything durable where that is not possible now.
    fn end(&self, when_busy: fn(&Path)) {
        let device = self.device();
        // What else is mounted there is none of ours.
        if mountinfo::read().is_ok_and(|table| is_mounted(&device, &table).unwrap_or(true)) {
            unmount_or_flush(&self.target, when_busy);
        }
    }

    fn is_there(&self, table: &mut Watch) -> Result<bool> {
        let device = self.device();
        is_mounted(&device, &table.read()?)
    }

    fn is_used(&self) -> bool {
        is_used(self.device().node())
    }

    fn device(&self) -> MutexGuard<'_, Loop> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows the home at `target` until it is unmounted and nobody uses it any more. `ready` runs once it
/// can be used, and if it fails the home is unmounted again. Asked to end while files are open, everything is
/// made durable and `when_busy` decides.
///
/// Must be called before any other thread exists: signals are blocked in all of them.
///
/// # Errors
/// Those of mount(2).
pub fn serve(
    mounted: MountedImage,
    target: &Path,
    when_busy: fn(&Path),
    ready: impl FnOnce(&Arc<Shown>) -> io::Result<()>,
) -> Result<()> {
    let signals = block_signals()?;
    let mut table = Watch::open()?;
    let shown = Arc::new(Shown::at(target, mounted)?);
    let asked = Arc::clone(&shown);
    let end = move || {
        while signals.wait().is_ok() {
            asked.end(when_busy);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(end)?;
    // Without a server nobody would unmount it.
    ready(&shown).inspect_err(|_| shown.end(when_busy))?;
    while shown.is_there(&mut table)? {
        table.wait(None)?;
    }
    while shown.is_used() {
        thread::sleep(BETWEEN);
    }
    Ok(())
}

fn is_mounted(device: &Loop, table: &[Mount]) -> Result<bool> {
    let devnum = DevNum::new(fstat(device.fd())?.st_rdev);
    Ok(table.iter().any(|mount| mount.devnum == devnum))
}

/// Unmounts, or makes everything durable where that is not possible now.
fn unmount_or_flush(place: &Path, when_busy: fn(&Path)) {
    if let Err(error) = unmount(place, UnmountFlags::NOFOLLOW) {
        tracing::warn!(%error, "cannot unmount");
        if let Err(error) = flush(place) {
            tracing::error!(%error, "cannot flush");
        }
        when_busy(place);
    }
}

fn flush(place: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(open(place)?)?)
}

fn open(place: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(place, flags, Mode::empty())
}
