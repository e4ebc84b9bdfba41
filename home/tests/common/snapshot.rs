//! A tree of files with all that POSIX says about it, to compare two of them.

use rustix::fs::{lgetxattr, listxattr};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    mode: u32,
    owner: (u32, u32),
    size: Option<u64>,
    links: Option<u64>,
    device: u64,
    accessed: (i64, i64),
    modified: (i64, i64),
    /// The first name of the same inode.
    same_as: PathBuf,
    content: Vec<u8>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Everything below a directory, itself included; read without leaving a trace.
pub fn snapshot(top: &Path) -> BTreeMap<PathBuf, Object> {
    let (mut open, mut seen, mut first) = (vec![top.to_owned()], BTreeMap::new(), HashMap::new());
    let mut names = Vec::new();
    while let Some(path) = open.pop() {
        let facts = fs::symlink_metadata(&path).unwrap();
        if facts.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        names.push((path, facts));
    }
    names.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, facts) in names {
        let name = path.strip_prefix(top).unwrap().to_owned();
        let same_as = first
            .entry(facts.ino())
            .or_insert_with(|| name.clone())
            .clone();
        seen.insert(name, object(&path, &facts, same_as));
    }
    seen
}

fn object(path: &Path, facts: &Metadata, same_as: PathBuf) -> Object {
    let content = if facts.is_file() {
        fs::read(path).unwrap()
    } else if facts.is_symlink() {
        fs::read_link(path)
            .unwrap()
            .into_os_string()
            .into_encoded_bytes()
    } else {
        Vec::new()
    };
    Object {
        mode: facts.mode(),
        owner: (facts.uid(), facts.gid()),
        size: (!facts.is_dir()).then_some(facts.size()),
        links: (!facts.is_dir()).then_some(facts.nlink()),
        device: facts.rdev(),
        accessed: (facts.atime(), facts.atime_nsec()),
        modified: (facts.mtime(), facts.mtime_nsec()),
        same_as,
        content,
        xattrs: xattrs(path, facts),
    }
}

fn xattrs(path: &Path, facts: &Metadata) -> BTreeMap<Vec<u8>, Vec<u8>> {
    if !facts.is_file() && !facts.is_dir() {
        return BTreeMap::new();
    }
    let mut list = vec![0; 65536];
    let count = listxattr(path, &mut list[..]).unwrap();
    let names = list[..count]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65536];
            let count = lgetxattr(path, name, &mut value[..]).unwrap();
            value.truncate(count);
            (name.to_vec(), value)
        })
        .collect()
}
