//! The least that a copy costs which leaves the last one whole: a link to each file of it, in new
//! directories, on all processors.
//!
//! It copies nothing that changed, keeps no attributes of directories and looks at no upper.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use rustix::fs::{AtFlags, linkat};

use crate::Outcome;
use crate::place::Visible;

/// Makes `next` beside `copy`.
pub fn bare_links(to: &Visible) -> Outcome<()> {
    let mut dirs = vec![PathBuf::new()];
    let (from, next) = (to.path("copy"), to.path("next"));
    make_dirs(&from, &next, &mut dirs)?;
    let left = Mutex::new(dirs.into_iter());
    let take = || left.lock().expect("no holder panics").next();
    let work = || -> io::Result<()> {
        while let Some(dir) = take() {
            link_files(&from.join(&dir), &next.join(&dir))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("it does not panic"))
    })?;
    Ok(())
}

/// Makes the directories of `from` in `next`, and adds their paths to `dirs`.
fn make_dirs(from: &Path, next: &Path, dirs: &mut Vec<PathBuf>) -> io::Result<()> {
    fs::create_dir(next)?;
    let mut at = 0;
    while let Some(dir) = dirs.get(at).cloned() {
        for entry in fs::read_dir(from.join(&dir))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                let below = dir.join(entry.file_name());
                fs::create_dir(next.join(&below))?;
                dirs.push(below);
            }
        }
        at += 1;
    }
    Ok(())
}

fn link_files(from: &Path, to: &Path) -> io::Result<()> {
    let (older, newer) = (File::open(from)?, File::open(to)?);
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            let name = entry.file_name();
            linkat(&older, &name, &newer, &name, AtFlags::empty())?;
        }
    }
    Ok(())
}
