//! A mounted image until its end: asked for by a signal, or brought about by umount(8).

use super::mounting::is_used;
use super::{MountedImage, Result};
use crate::mount::block_signals;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{UnmountFlags, unmount};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;
use wendy_sys::DevNum;
use wendy_sys::mountinfo::Watch;

/// How often to ask whether files of a home that is unmounted are still open.
const BETWEEN: Duration = Duration::from_millis(200);

/// Shows the home at `target` until it is unmounted and nobody uses it any more. `ready` runs once it
/// can be used, and fails or not as a whole with it. Asked to end while files are open, everything is
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
    ready: impl FnOnce() -> io::Result<()>,
) -> Result<()> {
    let signals = block_signals()?;
    let devnum = mounted.devnum()?;
    let mut table = Watch::open()?;
    let device = mounted.attach(target)?;
    let place = target.to_owned();
    let asked = move || {
        while signals.wait().is_ok() {
            unmount_or_flush(&place, when_busy);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(asked)?;
    ready()?;
    while is_mounted(&mut table, devnum)? {
        table.wait(None)?;
    }
    while is_used(device.node()) {
        thread::sleep(BETWEEN);
    }
    Ok(())
}

fn is_mounted(table: &mut Watch, devnum: DevNum) -> Result<bool> {
    Ok(table.read()?.iter().any(|mount| mount.devnum == devnum))
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
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::syncfs(rustix::fs::open(
        place,
        flags,
        Mode::empty(),
    )?)?)
}
