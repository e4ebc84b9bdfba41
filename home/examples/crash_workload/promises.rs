//! What is promised, and what has become of it.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::changes::XATTR;

/// How much of a file is promised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Everything,
    ButForTimes,
}

/// What a ledger says.
#[derive(Default)]
pub struct Promises {
    pub count: u64,
    /// By name, how each is or the beginning of it, as [`look`] says it.
    kept: BTreeMap<String, String>,
    /// What the unfinished change may have changed.
    open: Vec<String>,
}

impl Promises {
    pub fn of(ledger: &str) -> Self {
        let mut promises = Self::default();
        for line in ledger.lines() {
            let mut words = line.split('\t');
            match words.next() {
                Some("begin") => promises.open = words.map(str::to_owned).collect(),
                Some("done") => promises.add(words),
                _ => {}
            }
        }
        promises
    }

    fn add<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        let changed = std::mem::take(&mut self.open);
        // Below a directory that went nothing is named again: it would no longer be true of another that
        // comes in its place.
        self.kept.retain(|name, _| !is_in_any(name, &changed));
        let facts = words.filter_map(|word| word.split_once('='));
        self.kept
            .extend(facts.map(|(name, what)| (name.to_owned(), what.to_owned())));
        self.count += 1;
    }

    /// A line for each that does not hold in `dir`.
    pub fn broken(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut broken = Vec::new();
        for (name, what) in &self.kept {
            let there = look(&dir.join(name), Extent::Everything)?;
            if !is_in_any(name, &self.open) && !there.starts_with(what) {
                broken.push(format!("{name}: promised {what}, found {there}"));
            }
        }
        Ok(broken)
    }
}

fn is_in_any(name: &str, changes: &[String]) -> bool {
    changes.iter().any(|changed| concerns(changed, name))
}

/// Whether a change of `changed` may show at `name`: there, below, or at the directory that holds it.
pub fn concerns(changed: &str, name: &str) -> bool {
    Path::new(name).starts_with(changed) || Path::new(changed).parent() == Some(Path::new(name))
}

/// A file in one line: what it is, its inode, attributes, content, and time of change at last. Of a
/// directory the content are its names. What cannot be read is no promise.
pub fn look(path: &Path, extent: Extent) -> io::Result<String> {
    let facts = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok("absent".into()),
        facts => facts?,
    };
    let content = content(path, &facts)?;
    let mut words = vec![
        format!("mode={:o}", facts.mode()),
        format!("owner={}:{}", facts.uid(), facts.gid()),
        format!("inode={}", facts.ino()),
        format!("links={}", facts.nlink()),
        format!("xattr={}", xattr(path)?),
        format!("length={}", content.len()),
        format!("content={:016x}", hash(&content)),
    ];
    if extent == Extent::Everything {
        words.push(format!("time={}.{:09}", facts.mtime(), facts.mtime_nsec()));
    }
    Ok(words.join(" "))
}

fn content(path: &Path, facts: &Metadata) -> io::Result<Vec<u8>> {
    let kind = facts.file_type();
    if kind.is_file() {
        fs::read(path)
    } else if kind.is_symlink() {
        Ok(fs::read_link(path)?.as_os_str().as_bytes().to_vec())
    } else if kind.is_dir() {
        let names = tree(path)?.into_iter().map(|(name, _)| name);
        Ok(names.collect::<Vec<_>>().join("/").into_bytes())
    } else {
        Ok(Vec::new())
    }
}

fn xattr(path: &Path) -> io::Result<String> {
    let mut value = [0; 1000];
    match rustix::fs::lgetxattr(path, XATTR, &mut value[..]) {
        Err(rustix::io::Errno::NODATA) => Ok("none".into()),
        length => Ok(format!("{:016x}", hash(&value[..length?]))),
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv)
}

/// All that is below `dir`, by name from there.
pub fn tree(dir: &Path) -> io::Result<Vec<(String, Metadata)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (name, facts) = (entry.file_name(), entry.metadata()?);
        let name = name.to_string_lossy().into_owned();
        if facts.is_dir() {
            let below = tree(&entry.path())?.into_iter();
            found.extend(below.map(|(inner, facts)| (format!("{name}/{inner}"), facts)));
        }
        found.push((name, facts));
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}
