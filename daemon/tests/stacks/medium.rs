//! The boot medium of every scene: one stock image in an ext4 filesystem.

use std::{
    fs::{self, File},
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use wendy_sys::loopdev::Loop;

use crate::{
    common::{MIB, run},
    world::{LENT, link_programs},
};

/// An image of a medium, in a directory that also takes the sticks of the scenes.
pub struct Medium(TempDir);

impl Medium {
    /// With the same squashfs wherever a stack looks for it; beside it the same as a filesystem.
    pub fn make() -> Self {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        make_stock_tree(&tree);
        let image = place.path().join("squashfs");
        let [from, to] = [&tree, &image].map(|path| path.to_str().unwrap());
        run("mksquashfs", &[from, to, "-quiet", "-no-progress"]);
        let content = place.path().join("content");
        for name in [
            "live/filesystem.squashfs",
            "casper/filesystem.squashfs",
            "LiveOS/squashfs.img",
        ] {
            fs::create_dir_all(content.join(name).parent().unwrap()).unwrap();
            fs::copy(&image, content.join(name)).unwrap();
        }
        make_ext4(&place.path().join("medium"), Some(&content));
        make_ext4(&place.path().join("rootfs.img"), Some(&tree));
        Self(place)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Whether a loop device still shows a file of this directory.
    pub fn is_attached(&self) -> bool {
        let files = fs::read_dir(self.path())
            .unwrap()
            .map(|file| file.unwrap().path());
        files.filter(|file| file.is_file()).any(|file| {
            let file = File::open(file).unwrap();
            Loop::showing(file.as_fd()).unwrap().is_some()
        })
    }
}

/// A file of 64 MiB with an ext4 filesystem, filled from `content`.
pub fn make_ext4(file: &Path, content: Option<&Path>) -> PathBuf {
    File::create_new(file).unwrap().set_len(64 * MIB).unwrap();
    let mut args = vec!["-q", "-F"];
    if let Some(content) = content {
        args.extend(["-d", content.to_str().unwrap()]);
    }
    args.push(file.to_str().unwrap());
    run("mkfs.ext4", &args);
    file.to_owned()
}

fn make_stock_tree(tree: &Path) {
    for directory in LENT.iter().chain(&["etc", "run", "tmp"]) {
        fs::create_dir_all(tree.join(directory)).unwrap();
    }
    link_programs(tree);
    fs::write(tree.join("etc/stock"), "from the image").unwrap();
}
