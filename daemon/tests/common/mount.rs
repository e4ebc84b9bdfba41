//! Filesystems that are mounted, and whether they are sound.

use std::{fs::File, path::Path};

use tempfile::TempDir;
use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice},
    mount::{self, DetachedMount, MountFlags},
    tool::Tool,
};
use wendyd::patience::{FOR_DEVICE, patiently};

use super::{eventually, in_memory, open_dir};

/// Mounts it where nobody else sees it. Waits for as long as a program that another test is just
/// starting holds a copy of a descriptor by which the device was claimed.
pub fn mounted(node: &Path, fs_type: &str) -> DetachedMount {
    let device = BlockDevice::open(node, Access::Read).unwrap();
    let mount = || mount::of_device(fs_type, &device, &[], MountFlags::default());
    patiently(FOR_DEVICE, mount).unwrap()
}

/// A filesystem with a place in the tree, where everybody sees it, until dropped.
pub struct Mounted(TempDir);

impl Mounted {
    /// For reading and writing.
    pub fn new(node: &Path, fs_type: &str) -> Mounted {
        Mounted::with(node, fs_type, MountFlags::default())
    }

    pub fn with(node: &Path, fs_type: &str, flags: MountFlags) -> Mounted {
        let place = in_memory();
        let mount = || mount::detached(fs_type, Some(node), &[], flags);
        let root = patiently(FOR_DEVICE, mount).unwrap();
        mount::attach(&root, open_dir(place.path())).unwrap();
        Mounted(place)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Brings everything to the medium.
    pub fn sync(&self) {
        mount::syncfs(File::open(self.path()).unwrap()).unwrap();
    }
}

impl Drop for Mounted {
    /// A program that is just being started keeps it busy until it runs.
    fn drop(&mut self) {
        patiently(FOR_DEVICE, || mount::detach(self.path(), false)).unwrap();
    }
}

/// Whether nothing holds the device any more: no mount of it, no image on it that is attached. What
/// has just ended may hold it for a moment.
pub fn check_unused(node: &Path) {
    eventually("the device is free", || {
        BlockDevice::open(node, Access::Exclusive).is_ok()
    });
}

/// Whether the filesystem is sound once its journal has been replayed.
pub fn check_filesystem(node: &Path) {
    drop(mounted(node, "ext4"));
    let output = Tool::new("e2fsck")
        .args(["-fn", "--"])
        .arg(node)
        .run(&Cancel::new());
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        output.code,
        0,
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
