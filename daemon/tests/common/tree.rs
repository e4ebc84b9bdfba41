//! Looking at directories, and at what stands in them.

use std::{
    collections::BTreeMap,
    fs,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{Mode as Bits, OFlags};
use wendy_sys::mount::{self, MountFlags};
use wendyd::stores::OpenStore;

/// Everything below a directory by its path, each entry in words.
pub type Tree = BTreeMap<String, String>;

/// Looks at every entry below a directory without following links.
pub fn look(top: &Path) -> Tree {
    let mut tree = Tree::new();
    look_below(&followed(top), "", &mut tree);
    tree
}

fn look_below(dir: &Path, prefix: &str, tree: &mut Tree) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let facts = fs::symlink_metadata(entry.path()).unwrap();
        tree.insert(path.clone(), in_words(&entry.path(), &facts));
        if facts.is_dir() {
            look_below(&entry.path(), &format!("{path}/"), tree);
        }
    }
}

fn in_words(path: &Path, facts: &fs::Metadata) -> String {
    let kind = facts.file_type();
    let content = if kind.is_file() {
        format!("{:?}", fs::read(path).unwrap())
    } else if kind.is_symlink() {
        format!("-> {}", fs::read_link(path).unwrap().display())
    } else if kind.is_char_device() {
        format!("device {}", facts.rdev())
    } else {
        let opaque = rustix::fs::lgetxattr(path, "trusted.overlay.opaque", &mut [0_u8; 8][..]);
        format!("opaque {}", opaque.is_ok())
    };
    let (mode, owner) = (facts.permissions().mode(), (facts.uid(), facts.gid()));
    let time = if facts.is_dir() {
        0
    } else {
        facts.mtime_nsec()
    };
    format!("{mode:o} {owner:?} {time} {content}")
}

/// The upper layer as a stock image finds it: through the links in the root.
pub fn stock_upper(store: &OpenStore) -> Option<PathBuf> {
    let upper = followed(&path_of(&store.root()).join("rw"));
    upper.exists().then_some(upper)
}

/// Mounts an overlay as live-boot would from this store and looks at it.
pub fn boot(store: &OpenStore, lower: &Path) -> Tree {
    let upper = open_dir(&stock_upper(store).unwrap());
    let work = open_dir(&followed(&path_of(&store.root()).join("work")));
    let lower = open_dir(lower);
    let dirs = mount::OverlayDirs {
        lowers: &[lower.as_fd()],
        upper_and_work: Some((upper.as_fd(), work.as_fd())),
    };
    let merged = mount::overlay_detached(dirs, &[], MountFlags::default()).unwrap();
    look(&path_of(&merged))
}

pub fn path_of(dir: &impl AsFd) -> PathBuf {
    PathBuf::from(format!(
        "/proc/self/fd/{}",
        AsRawFd::as_raw_fd(&dir.as_fd())
    ))
}

/// Where the relative links on a path lead: a store is mounted so that the kernel follows none.
pub fn followed(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |at, part| {
        let next = at.join(part);
        match fs::read_link(&next) {
            Ok(target) if target.is_relative() => followed(&at.join(target)),
            _ => next,
        }
    })
}

pub fn open_dir(path: &Path) -> OwnedFd {
    rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Bits::empty(),
    )
    .unwrap()
}
