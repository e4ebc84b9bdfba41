//! Making what was written so far durable, on demand.
//!
//! syncfs(2) on a home makes the kernel write what it holds back, but ends there: FUSE does not tell
//! the server. So the server is asked besides, by setting the extended attribute [`REQUEST`] of the
//! home's top directory, which exists for nothing else and is never kept. Only who may write to the
//! directory may set it.

use crate::image::{self, Image};
use crate::medium::Medium as _;
use crate::medium::directory::{DirectoryMedium, by_number};
use crate::mode::{Mode, Standing};
use crate::mount::SOURCE;
use rustix::fs::{Mode as Bits, OFlags, XattrFlags, fsetxattr, open};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use wendy_sys::loopdev::backing_file;
use wendy_sys::mount;
use wendy_sys::mountinfo::{self, Mount};

/// Name of the extended attribute.
pub const REQUEST: &str = "wendy.sync";

/// Syncs every home this process may write to; where they are shown.
///
/// # Errors
/// Those of the media, and `PermissionDenied` if all homes are other people's; all are tried.
pub fn all() -> io::Result<Vec<PathBuf>> {
    let synced = shown()?.map(|home| {
        let at = home.mount_point.display().to_string();
        mounted(&home)
            .map(|()| home.mount_point)
            .map_err(|error| io::Error::new(error.kind(), format!("{at}: {error}")))
    });
    let (others, own): (Vec<_>, Vec<_>) = synced.partition(is_refused);
    match own.is_empty() {
        true => others.into_iter().collect(),
        false => own.into_iter().collect(),
    }
}

fn is_refused(synced: &io::Result<PathBuf>) -> bool {
    let kind = synced.as_ref().err().map(io::Error::kind);
    kind == Some(io::ErrorKind::PermissionDenied)
}

/// Syncs the home that is shown at, or kept in, the directory `path`; where it may be shown.
///
/// # Errors
/// `NotFound` if it is no home, those of the medium.
pub fn one(path: &Path) -> io::Result<Vec<PathBuf>> {
    if let Some(home) = shown_at(path)? {
        mounted(&home)?;
        return Ok(vec![home.mount_point]);
    }
    let medium = DirectoryMedium::open(path)?;
    let mode = Standing::of(&medium).map_err(io::Error::other)?.mode;
    let none = || io::Error::new(io::ErrorKind::NotFound, "there is no home");
    let homes = shown_of(&medium, mode.ok_or_else(none)?)?;
    homes.iter().try_for_each(mounted)?;
    // What the server has written is in the memory of the kernel or the stick at worst. Where nothing can
    // be written, nothing waits.
    if !mount::is_read_only(medium.root())? {
        medium.sync_all()?;
    }
    Ok(homes.into_iter().map(|home| home.mount_point).collect())
}

/// The mounts that may show the home on a medium.
fn shown_of(medium: &DirectoryMedium, mode: Mode) -> io::Result<Vec<Mount>> {
    match mode {
        Mode::Image => {
            let image = Image::open(medium, true).map_err(io::Error::other)?;
            let at = image.shown_at().map_err(io::Error::other)?;
            let homes = shown()?.filter(|home| at.as_ref() == Some(&home.mount_point));
            Ok(homes.collect())
        }
        // Nobody can tell which of them it is. Unless it is locked it is none.
        Mode::Files if !medium.is_locked()? => Ok(Vec::new()),
        Mode::Files => Ok(shown()?.filter(|home| home.source == SOURCE).collect()),
    }
}

/// The home that is shown at the directory `path`, if one is.
///
/// # Errors
/// Those of reading the mount table, and of finding the directory.
pub fn shown_at(path: &Path) -> io::Result<Option<Mount>> {
    let real = path.canonicalize()?;
    Ok(shown()?.find(|home| home.mount_point == real))
}

/// The directory that holds the home of a mount, where the kernel tells: of an image, unless the
/// stick is mounted where nobody sees it.
#[must_use]
pub fn directory_of(home: &Mount) -> Option<PathBuf> {
    let file = backing_file(home.devnum).ok()?;
    let directory = file.is_file().then(|| file.parent())??;
    Some(directory.to_owned())
}

/// The homes in the mount table.
fn shown() -> io::Result<impl Iterator<Item = Mount>> {
    let mounts = mountinfo::read().map_err(io::Error::other)?.into_iter();
    Ok(mounts.filter(|mount| mount.source == SOURCE || is_image(mount)))
}

/// Whether a mount shows the image of a home.
#[must_use]
pub fn is_image(mount: &Mount) -> bool {
    const LOOP_MAJOR: u32 = 7;
    let is_loop = mount.devnum.major() == LOOP_MAJOR && mount.fs_type == "ext4";
    is_loop && backing_file(mount.devnum).is_ok_and(|file| file.ends_with(image::FILE))
}

fn mounted(home: &Mount) -> io::Result<()> {
    if home.made_read_only() {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top: OwnedFd = open(&home.mount_point, flags, Bits::empty())?;
    by_number(mount::syncfs(&top))?;
    match fsetxattr(&top, REQUEST, b"1", XattrFlags::empty()) {
        // An image: the kernel has done it all.
        Err(Errno::OPNOTSUPP) => Ok(()),
        other => Ok(other?),
    }
}
