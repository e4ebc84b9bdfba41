//! Measures copies of an ordinary upper against the tools people use for it, each with the sync
//! that makes it worth something, in turns on fresh filesystems.
//!
//! `cargo run --release -p wendy-layers --features testing --example compare [what…]`, where what is
//! `first`, `update`, `unchanged`, `throttled` or `memory`, and all of them if none is named. Needs
//! root, rsync, tar and e2fsprogs. The machine may be busy: the best of several rounds counts.

mod links;
mod memory;
mod place;
mod tools;

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wendy_layers::testing::{change_some, ordinary_upper, tmpfs};

use links::bare_links;
use place::{Medium, Visible, hide_mounts};
use tools::{Tool, Wendy, rsync_beside};

type Outcome<T> = Result<T, Box<dyn Error>>;

type Measurement = fn(&Source) -> Outcome<()>;

const ROUNDS: usize = 3;

fn main() -> Outcome<()> {
    hide_mounts()?;
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let source = Source::new()?;
    println!("| what | best of others | wendy | ratio | goal |\n|---|---|---|---|---|");
    let all: [(&str, Measurement); 5] = [
        ("first", first),
        ("update", update),
        ("unchanged", unchanged),
        ("throttled", throttled),
        ("memory", |_| memory::measure()),
    ];
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure(&source)?;
        }
    }
    Ok(())
}

/// The upper that is saved.
struct Source {
    mount: Visible,
    files: Vec<PathBuf>,
}

impl Source {
    fn new() -> Outcome<Self> {
        let mount = Visible::new(tmpfs()?)?;
        std::fs::create_dir(mount.path("upper"))?;
        let files = ordinary_upper(&mount.path("upper"))?;
        Ok(Self { mount, files })
    }

    fn upper(&self) -> PathBuf {
        self.mount.path("upper")
    }
}

/// A first save onto an empty filesystem.
fn first(source: &Source) -> Outcome<()> {
    let mut others = Best::default();
    let mut wendy = Best::default();
    for _ in 0..ROUNDS {
        for tool in Tool::ALL {
            let medium = Medium::new()?;
            others.time(tool.name(), || {
                medium.synced(|to| tool.copy(&source.upper(), to))
            })?;
        }
        let medium = Medium::new()?;
        let save = Wendy::new(&source.upper());
        wendy.time("wendy", || medium.synced(|to| save.first(to).map(drop)))?;
    }
    report("first save", &others, &wendy, "≥ 1.5");
    Ok(())
}

/// One file of a hundred has changed: a new generation beside the last one, against rsync doing
/// the same, and against rsync overwriting its only copy. Both believe the inodes, which wendy
/// then does not leave it at: it reads all data as well. The links alone show how fast any copy
/// beside the last one can be.
fn update(source: &Source) -> Outcome<()> {
    let (mut beside, mut in_place) = (Best::default(), Best::default());
    let mut links = Best::default();
    let (mut wendy, mut compared) = (Best::default(), Best::default());
    let save = Wendy::new(&source.upper());
    for _ in 0..ROUNDS {
        let (theirs, ours, bare) = (Medium::new()?, Medium::new()?, Medium::new()?);
        theirs.synced(|to| Tool::Rsync.copy(&source.upper(), to))?;
        bare.synced(|to| Tool::Rsync.copy(&source.upper(), to))?;
        let mut before = ours.synced(|to| save.first(to))?;
        change_some(&source.files)?;
        settle();
        beside.time("rsync --link-dest", || {
            theirs.synced(|to| rsync_beside(&source.upper(), to))
        })?;
        in_place.time("rsync in place", || {
            theirs.synced(|to| Tool::Rsync.copy(&source.upper(), to))
        })?;
        links.time("links alone", || bare.synced(bare_links))?;
        let start = Instant::now();
        let saved = ours.synced(|to| save.update(to, &mut before))?;
        wendy.note("wendy", saved - start);
        compared.note("wendy", start.elapsed());
    }
    report("update, 1 % changed", &beside, &wendy, "≥ 3");
    report("update, 1 % changed", &in_place, &wendy, "≥ 3");
    report("no more than a link to each file", &in_place, &links, "");
    report("the same, and all data read", &in_place, &compared, "");
    Ok(())
}

/// What changed a moment ago may still be changing, and would be copied twice.
fn settle() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Nothing has changed.
fn unchanged(source: &Source) -> Outcome<()> {
    let mut others = Best::default();
    let mut wendy = Best::default();
    let save = Wendy::new(&source.upper());
    let (theirs, ours) = (Medium::new()?, Medium::new()?);
    theirs.synced(|to| Tool::Rsync.copy(&source.upper(), to))?;
    let mut before = ours.synced(|to| save.first(to))?;
    for _ in 0..ROUNDS {
        others.time("rsync", || {
            theirs.synced(|to| Tool::Rsync.copy(&source.upper(), to))
        })?;
        wendy.time("wendy", || ours.synced(|_| save.look(&mut before)))?;
    }
    report("update, nothing changed", &others, &wendy, "≥ 1");
    Ok(())
}

/// Onto a device that takes 40 MB a second.
fn throttled(source: &Source) -> Outcome<()> {
    const RATE: u64 = 40_000_000;
    let medium = Medium::new()?;
    let save = Wendy::new(&source.upper());
    let bytes = save.bytes()?;
    let Some(_limit) = medium.throttle(RATE)? else {
        println!("skipped: throttled: no cgroup here can limit a device's rate");
        return Ok(());
    };
    let start = Instant::now();
    medium.synced(|to| save.first(to).map(drop))?;
    let (took, least) = (start.elapsed().as_secs_f64(), bytes as f64 / RATE as f64);
    println!(
        "| first save at 40 MB/s | {least:.2} s for the bytes alone | {took:.2} s | {:.3} | ≤ 1.15 |",
        took / least
    );
    Ok(())
}

/// The fastest run of each contender.
#[derive(Default)]
struct Best(Vec<(&'static str, Duration)>);

impl Best {
    fn time<T>(&mut self, name: &'static str, run: impl FnOnce() -> Outcome<T>) -> Outcome<()> {
        let start = Instant::now();
        run()?;
        self.note(name, start.elapsed());
        Ok(())
    }

    fn note(&mut self, name: &'static str, took: Duration) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, best)) => *best = took.min(*best),
            None => self.0.push((name, took)),
        }
    }

    fn winner(&self) -> (&'static str, f64) {
        let best = self.0.iter().min_by_key(|(_, took)| *took);
        best.map_or(("nobody", 0.0), |(name, took)| (name, took.as_secs_f64()))
    }
}

fn report(what: &str, others: &Best, wendy: &Best, goal: &str) {
    let ((name, theirs), (_, ours)) = (others.winner(), wendy.winner());
    println!(
        "| {what} | {name} {theirs:.3} s | {ours:.3} s | {:.2} | {goal} |",
        theirs / ours
    );
    for (name, took) in &others.0 {
        eprintln!("  {what}: {name} {:.3} s", took.as_secs_f64());
    }
}

/// Opens a directory.
fn open(path: PathBuf) -> Outcome<File> {
    Ok(File::open(path)?)
}
