//! The work: what a home has to do, as rows of the table.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use wendy_layers::testing::tool;

use crate::Outcome;
use crate::place::Place;
use crate::table::median;
use crate::tree::{Archive, Dice};

const MIB: usize = 1 << 20;
const SMALL_FILES: usize = 5000;
const LARGE: usize = 1 << 30;
const DATABASE: usize = 256 << 20;
const PAGE: usize = 4096;
const PAGES_WRITTEN: usize = 100_000;

/// A row of the table.
pub struct Row {
    pub name: &'static str,
    /// Times the lower's time that we want to stay within.
    pub goal: f64,
    /// Whether rows below need what this one leaves.
    pub prepares: bool,
    /// Whether the least filesystem can do it.
    pub has_floor: bool,
    pub run: fn(&Work<'_>) -> Outcome<Duration>,
}

/// In this order: a row finds what those above have left. Large files come first: a home removes
/// files from the medium some seconds later, beside whatever is measured then.
pub const ROWS: [Row; 13] = [
    preparing("write 1 GiB and fsync", 1.1, write_large),
    row("read 1 GiB cold, five times", 1.1, read_cold),
    row("read 1 GiB warm", 1.1, read_warm),
    row("100,000 writes of 4 KiB anywhere", 1.25, write_pages),
    floored(row("create 5000 × 1 KiB", 5.0, create)),
    floored(preparing("untar 6200 files, 52 MB", 5.0, untar)),
    row("ls -lR warm", 1.3, list_warm),
    row("ls -lR cold", 1.5, list_cold),
    floored(row("cat all files warm", 5.0, cat)),
    floored(preparing("git add -A", 2.5, git_add)),
    row("git status warm", 2.0, git_status_warm),
    row("git status cold", 4.0, git_status_cold),
    floored(row("rm -rf 6200 files", 3.0, remove)),
];

const fn row(name: &'static str, goal: f64, run: fn(&Work<'_>) -> Outcome<Duration>) -> Row {
    Row {
        name,
        goal,
        prepares: false,
        has_floor: false,
        run,
    }
}

const fn preparing(name: &'static str, goal: f64, run: fn(&Work<'_>) -> Outcome<Duration>) -> Row {
    Row {
        prepares: true,
        ..row(name, goal, run)
    }
}

const fn floored(row: Row) -> Row {
    Row {
        has_floor: true,
        ..row
    }
}

/// What the rows work on.
pub struct Work<'a> {
    place: &'a Place,
    archive: &'a Archive,
}

impl<'a> Work<'a> {
    pub fn new(place: &'a Place, archive: &'a Archive) -> Self {
        Self { place, archive }
    }

    /// Times one run, with nothing left over from before.
    fn time(&self, run: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
        self.place.calm()?;
        let start = Instant::now();
        run()?;
        Ok(start.elapsed())
    }

    /// Times one run after another that is not counted.
    fn time_warm(&self, run: impl Fn() -> Outcome<()>) -> Outcome<Duration> {
        run()?;
        self.time(run)
    }

    /// Times one run that finds nothing in the kernel's memory.
    fn time_cold(&self, run: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
        self.place.forget()?;
        self.time(run)
    }

    fn shell(&self, command: &str) -> Outcome<()> {
        let (tree, archive) = (self.place.path("tree"), self.archive.path());
        let arguments = [
            "-euc".as_ref(),
            command.as_ref(),
            "sh".as_ref(),
            tree.as_os_str(),
            archive.as_os_str(),
        ];
        tool("sh", arguments)?;
        Ok(())
    }

    fn git(&self, arguments: &str) -> Outcome<()> {
        // Neither this machine's settings nor work of git's own in between.
        self.shell(&format!(
            "export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null; \
             git -C \"$1\" -c gc.auto=0 -c safe.directory=* {arguments} >/dev/null"
        ))
    }
}

fn create(work: &Work<'_>) -> Outcome<Duration> {
    let dir = work.place.path("small");
    fs::create_dir(&dir)?;
    work.time(|| {
        for n in 0..SMALL_FILES {
            let mut file = File::create_new(dir.join(format!("file{n}")))?;
            file.write_all(&[b'x'; 1024])?;
        }
        Ok(())
    })
}

fn untar(work: &Work<'_>) -> Outcome<Duration> {
    work.time(|| work.shell("tar -xf \"$2\" -C \"${1%/*}\""))
}

fn list(work: &Work<'_>) -> Outcome<()> {
    work.shell("ls -lR \"$1\" >/dev/null")
}

fn list_warm(work: &Work<'_>) -> Outcome<Duration> {
    work.time_warm(|| list(work))
}

fn list_cold(work: &Work<'_>) -> Outcome<Duration> {
    work.time_cold(|| list(work))
}

fn cat(work: &Work<'_>) -> Outcome<Duration> {
    work.time_warm(|| work.shell("find \"$1\" -type f -exec cat {} + >/dev/null"))
}

fn git_add(work: &Work<'_>) -> Outcome<Duration> {
    work.git("init -q")?;
    work.time(|| work.git("add -A"))
}

fn git_status_warm(work: &Work<'_>) -> Outcome<Duration> {
    work.time_warm(|| work.git("status"))
}

fn git_status_cold(work: &Work<'_>) -> Outcome<Duration> {
    work.time_cold(|| work.git("status"))
}

/// Removes what was just unpacked.
fn remove(work: &Work<'_>) -> Outcome<Duration> {
    work.shell("mkdir \"${1%/*}/again\" && tar -xf \"$2\" -C \"${1%/*}/again\"")?;
    work.time(|| work.shell("rm -rf \"${1%/*}/again\""))
}

fn write_large(work: &Work<'_>) -> Outcome<Duration> {
    work.time(|| write(&work.place.path("large"), LARGE))
}

/// The median of five: an emulated machine may have given memory back that it needs again.
fn read_cold(work: &Work<'_>) -> Outcome<Duration> {
    let once = |_| work.time_cold(|| read(&work.place.path("large")));
    let times = (0..5).map(once).collect::<Outcome<Vec<_>>>()?;
    Ok(median(&times).ok_or("nothing was read")?)
}

fn read_warm(work: &Work<'_>) -> Outcome<Duration> {
    work.time_warm(|| read(&work.place.path("large")))
}

fn write_pages(work: &Work<'_>) -> Outcome<Duration> {
    let path = work.place.path("database");
    write(&path, DATABASE)?;
    let file = OpenOptions::new().write(true).open(&path)?;
    let (mut dice, page) = (Dice(7), [0xA5; PAGE]);
    work.time(|| {
        for _ in 0..PAGES_WRITTEN {
            let at = dice.below(DATABASE / PAGE) * PAGE;
            file.write_all_at(&page, at as u64)?;
        }
        Ok(())
    })
}

fn write(path: &Path, bytes: usize) -> Outcome<()> {
    let (mut file, block) = (File::create(path)?, vec![0x5A; MIB]);
    for _ in 0..bytes / MIB {
        file.write_all(&block)?;
    }
    Ok(file.sync_all()?)
}

fn read(path: &Path) -> Outcome<()> {
    let (mut file, mut block) = (File::open(path)?, vec![0; MIB]);
    while file.read(&mut block)? > 0 {}
    Ok(())
}
