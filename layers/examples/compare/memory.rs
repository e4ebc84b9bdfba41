//! How much memory a tree of a million entries takes.

use std::fs;

use wendy_layers::testing::tmpfs;

use crate::Outcome;
use crate::place::{Medium, Visible};
use crate::tools::Wendy;

const DIRS: usize = 50_000;
const FILES: usize = 19;

/// Saves a million entries twice and reports the growth of the resident set at its highest.
pub fn measure() -> Outcome<()> {
    let source = Visible::new(tmpfs()?)?;
    let upper = source.path("upper");
    for n in 0..DIRS {
        let dir = upper.join(format!("{}/directory {n}", n % 100));
        fs::create_dir_all(&dir)?;
        for file in 0..FILES {
            fs::write(dir.join(format!("file {file}")), "")?;
        }
    }
    let medium = Medium::with(8 << 30, &["-N", "1200000"])?;
    let save = Wendy::new(&upper);
    let mut before = grow(|| medium.synced(|to| save.first(to)), "a first save")?;
    grow(
        || medium.synced(|to| save.update(to, &mut before)),
        "an update",
    )?;
    Ok(())
}

fn grow<T>(save: impl FnOnce() -> Outcome<T>, what: &str) -> Outcome<T> {
    // Forgets how high the resident set once was: proc(5), clear_refs.
    fs::write("/proc/self/clear_refs", "5")?;
    let before = resident("VmRSS:")?;
    let done = save()?;
    let growth = resident("VmHWM:")?.saturating_sub(before);
    println!(
        "| memory of {what}, a million entries | | {} MB | | < 64 MB |",
        growth / 1024
    );
    Ok(done)
}

/// A line of our status, in KB.
fn resident(name: &str) -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
