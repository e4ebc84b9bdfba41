//! Files that stand for media.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::run;

/// A file in a directory of its own, gone when dropped.
pub struct Image {
    file: PathBuf,
    _directory: TempDir,
}

impl Image {
    /// Nothing but a hole.
    pub fn sized(size: u64) -> Image {
        let directory = in_memory();
        let file = directory.path().join("image");
        File::create_new(&file).unwrap().set_len(size).unwrap();
        Image {
            file,
            _directory: directory,
        }
    }

    /// An ext4, filled when it is made, with the features wendy's own stores have.
    pub fn ext4(label: &str, fill: impl FnOnce(&Path)) -> Image {
        let (image, tree) = (Image::sized(4 << 20), in_memory());
        fill(tree.path());
        let features = ["-q", "-F", "-O", "ea_inode,metadata_csum"];
        let [tree, file] = [tree.path(), image.path()].map(|path| path.to_str().unwrap());
        run(
            "mkfs.ext4",
            &[&features[..], &["-L", label, "-d", tree, file]].concat(),
        );
        image
    }

    /// What this file holds by now.
    pub fn copy_of(file: &Path) -> Image {
        let image = Image::sized(0);
        let [from, to] = [file, image.path()].map(|path| path.to_str().unwrap());
        run("cp", &["--sparse=always", from, to]);
        image
    }

    pub fn path(&self) -> &Path {
        &self.file
    }
}

/// A directory of its own in memory, where there is a place for that: what is tested waits for the
/// medium often enough.
pub fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

pub fn write_at(image: &Path, offset: u64, bytes: &[u8]) {
    let file = File::options().write(true).open(image).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

pub fn read_at(image: &Path, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let file = File::open(image).unwrap();
    file.read_exact_at(&mut bytes, offset).unwrap();
    bytes
}
