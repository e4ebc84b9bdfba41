//! The stick mounted for one home, out of the reach of all but root.

use super::check::Filesystem;
use super::look;
use super::place::Place;
use super::sticks::Stick;
use crate::medium::directory::DirectoryMedium;
use std::fs::File;
use std::path::{Path, PathBuf};
use wendy_sys::Errno;
use wendy_sys::mount::{self, DetachedMount, MountFlags};

/// The bare filesystem shows all files as root's; programs run through the home only.
pub(super) const FLAGS: MountFlags = MountFlags {
    read_only: false,
    nosuid: true,
    nodev: true,
    noexec: true,
    nosymfollow: true,
    noatime: true,
};

/// Mounts the stick at the place for it and opens the directory of the home.
///
/// # Errors
/// Those of mounting.
pub fn mount(stick: &Stick, place: &Place) -> wendy_sys::Result<DirectoryMedium> {
    let mounted = detached(stick.filesystem, &stick.node, stick.read_only)?;
    let medium = look::open_directory(&mounted)?;
    let at = path(place)?;
    let target = File::open(&at).map_err(|source| os(&at, source))?;
    // Others see in the mount table that the stick is in use, and leave it alone.
    mount::attach(&mounted, target)?;
    Ok(medium)
}

/// Mounts the filesystem on `node` for ourselves alone, until the mount is dropped.
///
/// # Errors
/// Those of mounting.
pub fn detached(
    filesystem: Filesystem,
    node: &Path,
    read_only: bool,
) -> wendy_sys::Result<DetachedMount> {
    let mut params = params(filesystem).to_vec();
    // What waits in a journal cannot be brought to its place; the kernel would try even so.
    params.extend((read_only && filesystem == Filesystem::Ext).then_some(("noload", None)));
    let flags = MountFlags { read_only, ..FLAGS };
    mount::detached(filesystem.driver(), Some(node), &params, flags)
}

/// Takes every mount of the stick out of the tree; what is open stays until it is closed.
///
/// # Errors
/// Those of umount(2).
pub fn detach(place: &Place) -> wendy_sys::Result<()> {
    let at = path(place)?;
    loop {
        match mount::detach(&at, true) {
            Err(error) if error.errno() == Some(Errno::INVAL) => return Ok(()),
            other => other?,
        }
    }
}

fn params(filesystem: Filesystem) -> &'static [(&'static str, Option<&'static str>)] {
    match filesystem {
        Filesystem::Vfat => &[
            ("utf8", None),
            ("uid", Some("0")),
            ("gid", Some("0")),
            ("umask", Some("0077")),
            ("errors", Some("remount-ro")),
        ],
        Filesystem::Exfat => &[
            ("iocharset", Some("utf8")),
            ("uid", Some("0")),
            ("gid", Some("0")),
            ("umask", Some("0077")),
            ("errors", Some("remount-ro")),
        ],
        // It may ask for a panic of the kernel.
        Filesystem::Ext => &[("errors", Some("remount-ro"))],
    }
}

fn path(place: &Place) -> wendy_sys::Result<PathBuf> {
    place
        .stick()
        .map_err(|source| os(Path::new("/run/wendy-home"), source))
}

fn os(path: &Path, source: std::io::Error) -> wendy_sys::Error {
    wendy_sys::Error::Os {
        what: format!("use {}", path.display()),
        source,
    }
}
