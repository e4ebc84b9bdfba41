//! Who makes the changes, one after the other, and writes them down.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::Random;
use crate::changes::{
    change_attribute, make_fifo, make_way, sync_directories, sync_itself, what_can_be,
    write_as_editors_do, write_mapped, write_synced, write_synchronously,
};
use crate::promises::{Extent, concerns, look, tree};

/// In each directory, so few that most changes find something to change.
const FILES: u64 = 6;
const DIRECTORIES: u64 = 2;

/// What makes a change durable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    /// Nothing more: the change has synced what it made, and with that its name.
    Done,
    /// The same by msync(2), which says nothing of times.
    DoneButForTimes,
    /// fsync(2) of the first path, or of its directory where that is not for opening.
    Itself,
    /// fsync(2) of the directories whose names have changed.
    Directories,
}

pub struct Worker {
    dir: PathBuf,
    ledger: File,
    random: Random,
}

impl Worker {
    pub fn new(dir: &Path, ledger: File, random: Random) -> Self {
        let dir = dir.to_owned();
        Self {
            dir,
            ledger,
            random,
        }
    }

    pub fn make_directories(&mut self) -> io::Result<()> {
        (0..DIRECTORIES).try_for_each(|number| {
            self.change(&[&directory(number)], Sync::Directories, |path, _| {
                fs::create_dir(&path[0])
            })
        })
    }

    pub fn step(&mut self) -> io::Result<()> {
        let (a, b) = (self.file(), self.file());
        let (dir, other) = (self.directory(), self.directory());
        match self.random.below(28) {
            0 => self.change(&[&a], Sync::Directories, |path, _| {
                fs::remove_file(&path[0])
            }),
            1 | 2 => self.change(&[&a, &b], Sync::Directories, |path, _| {
                fs::rename(&path[0], &path[1])
            }),
            3 => self.change(&[&a], Sync::Directories, |path, random| {
                make_way(&path[0])?;
                symlink(format!("elsewhere-{}", random.below(1000)), &path[0])
            }),
            4 | 5 => self.change(&[&a, &b], Sync::Directories, |path, _| {
                make_way(&path[1])?;
                fs::hard_link(&path[0], &path[1])
            }),
            6 => self.change(&[&a], Sync::Directories, |path, random| {
                make_fifo(&path[0], random)
            }),
            7 | 8 => self.change(&[&dir], Sync::Directories, |path, _| {
                fs::create_dir(&path[0])
            }),
            9 => self.change(&[&dir], Sync::Directories, |path, _| {
                fs::remove_dir_all(&path[0])
            }),
            10 => self.change(&[&dir, &other], Sync::Directories, |path, _| {
                fs::rename(&path[0], &path[1])
            }),
            11 => self.change(&[&dir], Sync::Itself, change_attribute),
            12..=14 => self.change(&[&a], Sync::Itself, change_attribute),
            15 => self.change(&[&a], Sync::Directories, write_synchronously),
            16 | 17 => self.change(&[&a], Sync::Done, write_synced),
            18 | 19 => {
                self.change(&[&a], Sync::DoneButForTimes, write_mapped)?;
                self.change_nothing(&[&a], Sync::Itself)
            }
            _ => self.change(&[&a], Sync::Directories, write_as_editors_do),
        }
    }

    /// A file of the top or of a directory that may not be there.
    fn file(&mut self) -> String {
        let number = self.random.below(FILES);
        let kind = ["file", "File:"][usize::from(number % 2 == 1)];
        let name = format!("{kind}-{}", number / 2);
        if self.random.below(2) == 0 {
            return name;
        }
        format!("{}/{name}", self.directory())
    }

    fn directory(&mut self) -> String {
        directory(self.random.below(DIRECTORIES))
    }

    /// One change, announced before and promised after.
    fn change(
        &mut self,
        names: &[&str],
        how: Sync,
        act: impl FnOnce(&[PathBuf], &mut Random) -> io::Result<()>,
    ) -> io::Result<()> {
        let names = self.all_names_of(names)?;
        self.note("begin", &names)?;
        let paths: Vec<PathBuf> = names.iter().map(|name| self.dir.join(name)).collect();
        what_can_be(act(&paths, &mut self.random))?;
        self.promise(&names, &paths, how)
    }

    /// Makes more durable of what is as it was.
    fn change_nothing(&mut self, names: &[&str], how: Sync) -> io::Result<()> {
        let names = self.all_names_of(names)?;
        let paths: Vec<PathBuf> = names.iter().map(|name| self.dir.join(name)).collect();
        self.promise(&names, &paths, how)
    }

    fn promise(&mut self, names: &[String], paths: &[PathBuf], how: Sync) -> io::Result<()> {
        match how {
            Sync::Done | Sync::DoneButForTimes => {}
            Sync::Itself => what_can_be(sync_itself(&paths[0]))?,
            Sync::Directories => sync_directories(paths)?,
        }
        let extent = match how {
            Sync::DoneButForTimes => Extent::ButForTimes,
            _ => Extent::Everything,
        };
        let mut shown: BTreeSet<String> = names.iter().cloned().collect();
        let now = tree(&self.dir)?.into_iter().map(|(name, _)| name);
        shown.extend(now.filter(|name| names.iter().any(|changed| concerns(changed, name))));
        let facts = shown.iter().map(|name| {
            let there = look(&self.dir.join(name), extent)?;
            Ok(format!("{name}={there}"))
        });
        let facts = facts.collect::<io::Result<Vec<_>>>()?;
        self.note("done", &facts)
    }

    /// A line goes to the ledger as a whole or not at all.
    fn note(&mut self, what: &str, words: &[String]) -> io::Result<()> {
        let line = format!("{what}\t{}\n", words.join("\t"));
        self.ledger.write_all(line.as_bytes())
    }

    /// The names given first, then all others of the same inodes, and of those below: they may change
    /// as well.
    fn all_names_of(&self, names: &[&str]) -> io::Result<Vec<String>> {
        let tree = tree(&self.dir)?;
        let is_given = |name: &str| names.iter().any(|given| Path::new(name).starts_with(given));
        let given = tree.iter().filter(|(name, _)| is_given(name));
        let inodes: BTreeSet<u64> = given.map(|(_, facts)| facts.ino()).collect();
        let others = tree.iter().filter(|(name, facts)| {
            !is_given(name) && !facts.is_dir() && inodes.contains(&facts.ino())
        });
        let others = others.map(|(name, _)| name.clone());
        let names = names.iter().map(|name| (*name).to_owned());
        Ok(names.chain(others).collect())
    }
}

fn directory(number: u64) -> String {
    let kind = ["dir", "Dir"][usize::from(number % 2 == 1)];
    format!("{kind}-{}", number / 2)
}
