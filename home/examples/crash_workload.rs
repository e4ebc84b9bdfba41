//! What runs inside the machine that is going to lose power, and what looks after it.
//!
//! `work DIR LEDGER SEED` changes files in DIR for ever. Before each change it writes the paths
//! concerned to LEDGER, which survives the crash; after the change is synced it writes what is now
//! promised. `check DIR LEDGER` compares the tree with the promises: everything promised is there,
//! everything removed stays removed; only the paths of the one unfinished change may be either way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

const FILES: u64 = 24;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["work", dir, ledger, seed] => work(Path::new(dir), Path::new(ledger), seed),
        ["check", dir, ledger] => check(Path::new(dir), Path::new(ledger)),
        _ => Err(io::Error::other(
            "usage: work DIR LEDGER SEED | check DIR LEDGER",
        )),
    }
}

fn work(dir: &Path, ledger: &Path, seed: &str) -> io::Result<()> {
    let seed: u64 = seed.parse().map_err(io::Error::other)?;
    let noise = dir.with_extension("noise");
    fs::create_dir_all(dir)?;
    fs::create_dir_all(&noise)?;
    sync(dir.parent().unwrap_or(dir))?;
    std::thread::spawn(move || make_noise(&noise, Random(seed ^ 0x5555)));
    let ledger = OpenOptions::new().create(true).append(true).open(ledger)?;
    let mut worker = Worker {
        dir: dir.to_owned(),
        ledger,
        random: Random(seed | 1),
    };
    loop {
        worker.step()?;
    }
}

/// Changes without any sync, so that there is always something half-written.
fn make_noise(dir: &Path, mut random: Random) -> io::Result<()> {
    loop {
        let (a, b) = (dir.join(format!("N{}", random.below(30))), dir.join("sub"));
        match random.below(5) {
            0 => drop(fs::remove_file(&a)),
            1 => drop(fs::create_dir(&b).or_else(|_| fs::remove_dir(&b))),
            2 => drop(fs::rename(&a, dir.join(format!("n{}", random.below(30))))),
            _ => fs::write(
                &a,
                vec![b'n'; usize::try_from(random.below(9000)).unwrap_or(0)],
            )?,
        }
    }
}

struct Worker {
    dir: PathBuf,
    ledger: File,
    random: Random,
}

impl Worker {
    fn step(&mut self) -> io::Result<()> {
        let (a, b) = (self.name(), self.name());
        match self.random.below(10) {
            0 => self.change(&[&a], |path, _| ignore_missing(fs::remove_file(&path[0]))),
            1 if a != b => self.change(&[&a, &b], |path, _| {
                ignore_missing(fs::rename(&path[0], &path[1]))
            }),
            2 => self.change(&[&a], |path, _| {
                ignore_missing(fs::remove_file(&path[0]))?;
                symlink("elsewhere", &path[0])
            }),
            3 if a != b => self.change(&[&a, &b], |path, _| {
                ignore_missing(fs::remove_file(&path[1]))?;
                ignore_missing(fs::hard_link(&path[0], &path[1]))
            }),
            4 => self.change(&[&a], |path, random| {
                let mode = fs::Permissions::from_mode(
                    0o600 + u32::try_from(random.below(64)).unwrap_or(0),
                );
                let is_link = path[0].is_symlink();
                if is_link {
                    Ok(())
                } else {
                    ignore_missing(fs::set_permissions(&path[0], mode))
                }
            }),
            5 => self.change(&[&a], |path, random| {
                ignore_missing(fs::remove_file(&path[0]))?;
                let mut options = OpenOptions::new();
                let options = options.write(true).create_new(true);
                let mut file = options.custom_flags(libc::O_SYNC).open(&path[0])?;
                file.write_all(&some_bytes(random))
            }),
            6 => self.change(&[&a], |path, random| {
                ignore_missing(fs::remove_file(&path[0]))?;
                write_synced(&path[0], random)
            }),
            // As editors do: a new file over the old one.
            _ => self.change(&[&a], |path, random| {
                let temporary = path[0].with_extension("tmp");
                ignore_missing(fs::remove_file(&temporary))?;
                write_synced(&temporary, random)?;
                fs::rename(&temporary, &path[0])
            }),
        }
    }

    fn name(&mut self) -> String {
        let number = self.random.below(FILES);
        format!(
            "{}-{}",
            if number.is_multiple_of(2) {
                "file"
            } else {
                "File:"
            },
            number / 2
        )
    }

    /// One change, announced before and promised after.
    fn change(
        &mut self,
        names: &[&str],
        act: impl FnOnce(&[PathBuf], &mut Random) -> io::Result<()>,
    ) -> io::Result<()> {
        let names = self.all_names_of(names);
        self.note("begin", &names)?;
        let paths: Vec<PathBuf> = names.iter().map(|name| self.dir.join(name)).collect();
        act(&paths, &mut self.random)?;
        sync(&self.dir)?;
        let now = names.iter().zip(&paths);
        let now = now.map(|(name, path)| Ok(format!("{name}={}", look(path)?)));
        self.note("done", &now.collect::<io::Result<Vec<_>>>()?)
    }

    /// A line goes to the ledger as a whole or not at all.
    fn note(&mut self, what: &str, words: &[String]) -> io::Result<()> {
        let line = format!("{what}\t{}\n", words.join("\t"));
        self.ledger.write_all(line.as_bytes())
    }

    /// The names given first, then all others of the same inodes: they may change as well.
    fn all_names_of(&self, names: &[&str]) -> Vec<String> {
        use std::os::unix::fs::MetadataExt as _;
        let inode = |path: &Path| path.symlink_metadata().ok().map(|facts| facts.ino());
        let inodes: Vec<u64> = names
            .iter()
            .filter_map(|name| inode(&self.dir.join(name)))
            .collect();
        let mut all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if inode(&entry.path()).is_some_and(|ino| inodes.contains(&ino)) && !all.contains(&name)
            {
                all.push(name);
            }
        }
        all
    }
}

fn check(dir: &Path, ledger: &Path) -> io::Result<()> {
    let (mut promised, mut open) = (BTreeMap::new(), BTreeSet::new());
    let mut promises = 0;
    for line in fs::read_to_string(ledger)?.lines() {
        let mut words = line.split('\t');
        match words.next() {
            Some("begin") => open = words.map(str::to_owned).collect(),
            Some("done") => {
                promises += 1;
                open.clear();
                let facts = words.filter_map(|word| word.split_once('='));
                promised.extend(facts.map(|(name, what)| (name.to_owned(), what.to_owned())));
            }
            _ => {}
        }
    }
    let mut broken = 0;
    for (name, what) in promised.iter().filter(|(name, _)| !open.contains(*name)) {
        let there = look(&dir.join(name))?;
        if there != *what {
            println!("BROKEN {name}: promised {what}, found {there}");
            broken += 1;
        }
    }
    println!("promises={promises} broken={broken}");
    if broken == 0 {
        Ok(())
    } else {
        Err(io::Error::other("promises were broken"))
    }
}

/// A file in one word: kind, mode, length and hash of its content. What cannot be read is no promise.
fn look(path: &Path) -> io::Result<String> {
    let facts = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok("absent".into()),
        facts => facts?,
    };
    if facts.is_symlink() {
        return Ok("link".into());
    }
    let content = fs::read(path)?;
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = content.iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    Ok(format!(
        "{:o}:{}:{hash:x}",
        facts.permissions().mode(),
        content.len()
    ))
}

fn write_synced(path: &Path, random: &mut Random) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(&some_bytes(random))?;
    file.sync_all()
}

fn some_bytes(random: &mut Random) -> Vec<u8> {
    let longest = if random.below(8) == 0 { 200_000 } else { 6000 };
    let length = random.below(longest);
    (0..length)
        .map(|_| random.next().to_le_bytes()[0])
        .collect()
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// xorshift64: the same run for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }
}
