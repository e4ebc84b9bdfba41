//! Who keeps a home from being unmounted, read from proc(5) without touching the home itself.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A process and what it has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// One of the files or directories it uses below the home.
    pub path: PathBuf,
}

/// All processes with something below `directory`.
#[must_use]
pub fn of(directory: &Path) -> Vec<Holder> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| pid(&entry.file_name()));
    numbers.filter_map(|pid| holder(pid, directory)).collect()
}

fn pid(name: &OsString) -> Option<u32> {
    name.to_str()?.parse().ok()
}

fn holder(pid: u32, directory: &Path) -> Option<Holder> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let open = fs::read_dir(process.join("fd")).into_iter().flatten();
    let mut links = ["cwd", "root", "exe"]
        .map(|link| process.join(link))
        .into_iter()
        .chain(open.flatten().map(|entry| entry.path()))
        .filter_map(|link| fs::read_link(link).ok());
    let path = links
        .find(|target| target.starts_with(directory))
        .or_else(|| mapped(&process, directory))?;
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    Some(Holder {
        pid,
        name: name.trim_end().to_owned(),
        path,
    })
}

/// A file below `directory` that the process has mapped.
fn mapped(process: &Path, directory: &Path) -> Option<PathBuf> {
    let maps = fs::read_to_string(process.join("maps")).ok()?;
    let mut paths = maps
        .lines()
        .filter_map(|line| Some(PathBuf::from(&line[line.find('/')?..])));
    paths.find(|path| path.starts_with(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_file_open_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        assert!(of(&path).iter().all(|it| it.pid != std::process::id()));
        let _open = fs::File::create(path.join("file")).unwrap();
        let holders = of(&path);
        let me = holders.iter().find(|it| it.pid == std::process::id());
        assert_eq!(me.unwrap().path, path.join("file"));
    }
}
