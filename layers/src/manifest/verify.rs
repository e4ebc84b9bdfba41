//! Comparing a tree with its manifest.

use std::collections::HashSet;
use std::ffi::CStr;
use std::io::Read;
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::format::damaged;
use super::read::{Reader, Record};
use crate::content::{Buffer, Failure};
use crate::names::list;
use crate::place::Place;
use crate::progress::check;
use crate::{EntryPath, Error, Progress, Result, examine};

/// Most damaged entries that are named; more are only counted.
const NAMED: usize = 10_000;

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Entries compared.
    pub entries: u64,
    /// Damaged entries, the first ten thousand of them.
    pub damage: Vec<Damage>,
    /// Damaged entries beyond those.
    pub unnamed: u64,
}

impl Report {
    /// Whether the tree is what it was.
    pub fn is_intact(&self) -> bool {
        self.damage.is_empty()
    }
}

/// One entry that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The entry.
    pub path: EntryPath,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is gone.
    Missing,
    /// Its data, owner, mode, attributes or modification time differ.
    Changed,
    /// It was not there when the tree was saved.
    Unexpected,
    /// It cannot be read; the number is the kernel's error code.
    Unreadable(i32),
}

/// Compares the tree below `tree` with the manifest `from`.
///
/// # Errors
/// [`Error::Manifest`] or [`Error::Stream`] when the manifest itself is of no use;
/// [`Error::Cancelled`]. Damage of the tree is no error but the report.
pub fn verify(tree: BorrowedFd<'_>, from: impl Read, progress: &dyn Progress) -> Result<Report> {
    let mut verification = Verification {
        tree,
        progress,
        dirs: Vec::new(),
        open: None,
        listed: HashSet::new(),
        buffer: Buffer::new(),
        report: Report::default(),
    };
    let mut reader = Reader::new(from)?;
    while let Some(record) = reader.next()? {
        verification.record(&record)?;
    }
    if verification.dirs.is_empty() {
        return Err(damaged("it is empty"));
    }
    verification.find_unexpected()?;
    Ok(verification.report)
}

struct Verification<'a> {
    tree: BorrowedFd<'a>,
    progress: &'a dyn Progress,
    /// Directories by their numbers, each with its key.
    dirs: Vec<Arc<Place<u64>>>,
    /// Number of the directory opened last, and the directory unless it cannot be opened.
    open: Option<(usize, Option<OwnedFd>)>,
    /// Keys of all entries in the manifest.
    listed: HashSet<u64>,
    buffer: Buffer,
    report: Report,
}

impl Verification<'_> {
    fn record(&mut self, record: &Record) -> Result<()> {
        check(self.progress)?;
        self.report.entries += 1;
        if self.dirs.is_empty() {
            return self.top(record);
        }
        let number = usize::try_from(record.parent).unwrap_or(usize::MAX);
        let parent = Arc::clone(self.dirs.get(number).ok_or_else(unknown_parent)?);
        let key = key(parent.data, &record.name);
        self.listed.insert(key);
        if record.directory {
            self.dirs
                .push(Place::below(Arc::clone(&parent), record.name.clone(), key));
        }
        self.compare(number, &parent, record)
    }

    fn top(&mut self, record: &Record) -> Result<()> {
        if !record.directory {
            return Err(damaged("it does not begin with a directory"));
        }
        self.dirs.push(Place::top(TOP));
        match examine::directory(self.tree) {
            Ok(hash) if hash == record.hash => {}
            Ok(_) => self.damaged(EntryPath::new(""), Fault::Changed),
            Err(errno) => self.damaged(EntryPath::new(""), fault(errno)),
        }
        Ok(())
    }

    fn compare(&mut self, number: usize, parent: &Place<u64>, record: &Record) -> Result<()> {
        self.open(number, parent);
        let Some((_, Some(dir))) = &self.open else {
            self.damaged(parent.path_of(&record.name), Fault::Missing);
            return Ok(());
        };
        let at = (dir.as_fd(), record.name.as_c_str());
        let found = examine::entry(&mut self.buffer, at, self.progress);
        self.progress.advance(0, 1);
        match found {
            Ok(hash) if hash == record.hash => {}
            Ok(_) => self.damaged(parent.path_of(&record.name), Fault::Changed),
            Err(Failure::Cancelled) => return Err(Error::Cancelled),
            Err(Failure::Read(errno) | Failure::Write(errno)) => {
                self.damaged(parent.path_of(&record.name), fault(errno));
            }
        }
        Ok(())
    }

    fn open(&mut self, number: usize, dir: &Place<u64>) {
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            self.open = Some((number, dir.open(self.tree).ok()));
        }
    }

    /// Looks for entries that the manifest does not have.
    fn find_unexpected(&mut self) -> Result<()> {
        for dir in std::mem::take(&mut self.dirs) {
            check(self.progress)?;
            // A directory that cannot be opened was reported with its record.
            let Ok(open) = dir.open(self.tree) else {
                continue;
            };
            let listed = list(open, |name, _| {
                if !self.listed.contains(&key(dir.data, name)) {
                    self.damaged(dir.path_of(name), Fault::Unexpected);
                }
                Ok(())
            });
            listed.unwrap_or_else(|errno: Errno| self.damaged(dir.path(), fault(errno)));
        }
        Ok(())
    }

    fn damaged(&mut self, path: EntryPath, fault: Fault) {
        if self.report.damage.len() < NAMED {
            self.report.damage.push(Damage { path, fault });
        } else {
            self.report.unnamed += 1;
        }
    }
}

/// Key of the top of the tree.
const TOP: u64 = 0;

fn key(parent: u64, name: &CStr) -> u64 {
    xxh3_64_with_seed(name.to_bytes(), parent)
}

fn unknown_parent() -> Error {
    damaged("it names a directory that it has not described")
}

fn fault(errno: Errno) -> Fault {
    match errno {
        Errno::NOENT | Errno::NOTDIR => Fault::Missing,
        // The kind changed between looking and opening, or always was another.
        Errno::LOOP | Errno::XDEV => Fault::Changed,
        errno => Fault::Unreadable(errno.raw_os_error()),
    }
}
