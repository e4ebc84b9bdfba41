//! Filesystems on removable media, as udev knows them.

use super::check::Filesystem;
use crate::image;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use wendy_sys::mountinfo::{self, Mount};
use wendy_sys::{Cancel, DevNum, loopdev, tool::Tool};

/// A filesystem on a medium that people plug in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stick {
    /// The kernel's node.
    pub node: PathBuf,
    /// Number of the device.
    pub devnum: DevNum,
    /// What kind of filesystem it is.
    pub filesystem: Filesystem,
    /// Identity of the filesystem; not unique, copies have the same.
    pub uuid: String,
    /// What to call it: its label, or else its node.
    pub name: String,
    /// Whether the medium is write-protected.
    pub read_only: bool,
}

/// Buses whose devices are plugged in and pulled out; `mmc` is for cards only, see [`is_removable`].
const PLUGGED_BUSES: [&str; 3] = ["usb", "firewire", "memstick"];
/// How long udev may take to finish with what has just been plugged in.
const SETTLE: &str = "--timeout=5";

/// All of them, once udev is done with what has just been plugged in.
///
/// # Errors
/// Those of libudev.
pub fn find() -> io::Result<Vec<Stick>> {
    if Path::new("/run/udev/control").exists()
        && let Err(error) = Tool::new("udevadm")
            .args(["settle", SETTLE])
            .run(&Cancel::new())
    {
        tracing::warn!(%error, "udev is not done yet");
    }
    let mut enumerator = udev::Enumerator::new()?;
    enumerator.match_subsystem("block")?;
    let mut sticks: Vec<_> = enumerator
        .scan_devices()?
        .filter_map(|device| Stick::from_udev(&device))
        .collect();
    sticks.sort_by(|a, b| a.node.cmp(&b.node));
    Ok(sticks)
}

impl Stick {
    /// Reads what udev knows; `None` for what cannot hold a home.
    #[must_use]
    pub fn from_udev(device: &udev::Device) -> Option<Self> {
        let filesystem = Filesystem::named(&property(device, "ID_FS_TYPE"))?;
        let node = device.devnode()?.to_owned();
        let label = shown(&property(device, "ID_FS_LABEL"));
        let read_only = device.attribute_value("ro").is_some_and(|ro| ro == "1");
        is_removable(device).then(|| Self {
            name: if label.is_empty() {
                node.display().to_string()
            } else {
                label
            },
            devnum: DevNum::new(device.devnum().unwrap_or_default()),
            uuid: property(device, "ID_FS_UUID"),
            node,
            filesystem,
            read_only,
        })
    }

    /// Where it is mounted already, if it is.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        let mounts = mountinfo::read().unwrap_or_default().into_iter();
        mounts.filter(|mount| mount.devnum == self.devnum).collect()
    }
}

/// Whether the drive hangs on a bus for plugging. What it says of itself does not count: internal
/// disks in bays claim to be removable, many USB disks claim not to be.
fn is_removable(device: &udev::Device) -> bool {
    let mut next = Some(device.clone());
    while let Some(at) = next {
        let subsystem = at.subsystem().unwrap_or_default();
        let is_card = || at.attribute_value("type").is_some_and(|kind| kind == "SD");
        if PLUGGED_BUSES.iter().any(|bus| subsystem == *bus) || subsystem == "mmc" && is_card() {
            return true;
        }
        // An image of a stick serves as a stick, that of a home lies on one.
        if let Some(file) = at.attribute_value("loop/backing_file").map(Path::new) {
            let device = DevNum::new(at.devnum().unwrap_or_default());
            return !file.ends_with(image::FILE) && is_roots(file) && is_behind(file, device);
        }
        next = at.parent();
    }
    false
}

/// Whether nobody but root can change a file: anybody at the computer may have a loop device made.
fn is_roots(file: &Path) -> bool {
    const OTHERS_WRITE: u32 = 0o022;
    fs::symlink_metadata(file)
        .is_ok_and(|facts| facts.uid() == 0 && facts.mode() & OTHERS_WRITE == 0)
}

/// Whether it is the file at this path that the loop device shows. Whoever had it made can have chosen
/// the path, in a mount namespace of their own.
fn is_behind(file: &Path, device: DevNum) -> bool {
    let Ok(shown) = loopdev::backing_inode(device) else {
        return false;
    };
    fs::symlink_metadata(file)
        .is_ok_and(|facts| facts.is_file() && (facts.dev(), facts.ino()) == shown)
}

fn property(device: &udev::Device, name: &str) -> String {
    let value = device.property_value(name).unwrap_or_default();
    value.to_string_lossy().into_owned()
}

/// Text of a stranger's, fit for a terminal.
fn shown(text: &str) -> String {
    text.chars().filter(is_printable).take(40).collect()
}

/// A path that may have parts of a stranger's, fit for a terminal.
#[must_use]
pub fn shown_path(path: &Path) -> String {
    let path = path.to_string_lossy();
    let fit = path.chars().filter(|c| *c == '/' || is_printable(c));
    fit.take(200).collect()
}

fn is_printable(c: &char) -> bool {
    c.is_alphanumeric() || " -_.,+()".contains(*c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_anybody_elses_is_no_stick() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(!is_roots(&dir.path().join("none")));
        if rustix::process::getuid().is_root() {
            assert!(is_roots(&file) && !is_roots(&link));
            std::os::unix::fs::chown(&file, Some(1000), None).unwrap();
        }
        assert!(!is_roots(&file));
    }

    #[test]
    fn a_label_cannot_speak_to_the_terminal() {
        assert_eq!(shown("\x1b[31mMy \u{202e}stick\n"), "31mMy stick");
        assert_eq!(shown(&"x".repeat(999)).len(), 40);
    }
}
