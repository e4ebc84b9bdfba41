//! What runs inside the machine that is going to lose power, and what looks after it.
//!
//! `work DIR LEDGER SEED` changes files in DIR for ever. Before each change it writes the paths
//! concerned to LEDGER, which survives the crash; after the change is synced it writes what is now
//! promised. `check DIR LEDGER` compares the tree with the promises: everything promised is there,
//! everything removed stays removed; only the paths of the one unfinished change may be either way.
//! `repair NODE` does to the stick's filesystem what a login does before it mounts it.

mod changes;
mod promises;
mod worker;

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use promises::Promises;
use wendy_home::login::check::{self, Filesystem};
use worker::Worker;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["work", dir, ledger, seed] => work(Path::new(dir), Path::new(ledger), seed),
        ["check", dir, ledger] => check(Path::new(dir), Path::new(ledger)),
        ["repair", node] => repair(Path::new(node)),
        _ => Err(io::Error::other(
            "usage: work DIR LEDGER SEED | check DIR LEDGER | repair NODE",
        )),
    }
}

fn work(dir: &Path, ledger: &Path, seed: &str) -> io::Result<()> {
    let seed: u64 = seed.parse().map_err(io::Error::other)?;
    let noise = dir.with_extension("noise");
    fs::create_dir_all(dir)?;
    fs::create_dir_all(&noise)?;
    changes::sync(dir.parent().unwrap_or(dir))?;
    std::thread::spawn(move || make_noise(&noise, Random(seed ^ 0x5555)));
    let ledger = OpenOptions::new().create(true).append(true).open(ledger)?;
    let mut worker = Worker::new(dir, ledger, Random(seed | 1));
    worker.make_directories()?;
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
            _ => fs::write(&a, vec![b'n'; random.at_most(9000)])?,
        }
    }
}

fn check(dir: &Path, ledger: &Path) -> io::Result<()> {
    let promises = Promises::of(&fs::read_to_string(ledger)?);
    let broken = promises.broken(dir)?;
    for line in &broken {
        println!("BROKEN {line}");
    }
    println!("promises={} broken={}", promises.count, broken.len());
    if broken.is_empty() {
        Ok(())
    } else {
        Err(io::Error::other("promises were broken"))
    }
}

fn repair(node: &Path) -> io::Result<()> {
    let filesystem = Filesystem::of(node)?.ok_or(io::ErrorKind::InvalidData)?;
    check::repair(filesystem, node)
        .map(drop)
        .map_err(io::Error::other)
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

    fn at_most(&mut self, most: u32) -> usize {
        usize::try_from(self.below(u64::from(most) + 1)).unwrap_or(0)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
