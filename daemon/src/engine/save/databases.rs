//! Programs that keep a database open, whose files may be of several moments in a copy.
//!
//! Only counted, never named: whoever listens on the bus hears of it.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

/// How the files of databases end: SQLite's own, its journals, and Berkeley DB's.
const ENDINGS: [&[u8]; 6] = [
    b".sqlite",
    b".sqlite3",
    b".db",
    b"-wal",
    b"-journal",
    b".ldb",
];

/// Held by dpkg and apt while they change what is installed.
const PACKAGE_LOCKS: [&str; 2] = ["/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend"];

/// How many such files are open for writing now.
pub fn open_for_writing() -> u64 {
    let Ok(processes) = fs::read_dir("/proc") else {
        return 0;
    };
    let is_process = |name: &OsStr| name.as_bytes().iter().all(u8::is_ascii_digit);
    let own = std::process::id().to_string();
    let processes = processes
        .flatten()
        .filter(|entry| is_process(&entry.file_name()) && *entry.file_name() != *own);
    processes.map(|entry| in_process(&entry.path())).sum()
}

/// A process that ends meanwhile has nothing open.
fn in_process(process: &Path) -> u64 {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return 0;
    };
    let counts = descriptors.flatten().filter(|entry| {
        let is_database = fs::read_link(entry.path()).is_ok_and(|target| is_database(&target));
        is_database && is_writable(&process.join("fdinfo").join(entry.file_name()))
    });
    counts.count() as u64
}

fn is_database(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    path.is_absolute()
        && (ENDINGS.iter().any(|ending| bytes.ends_with(ending))
            || PACKAGE_LOCKS.iter().any(|lock| path == Path::new(lock)))
}

/// Reads the access mode from the line `flags:`, which is octal (proc_pid_fdinfo(5)).
fn is_writable(info: &Path) -> bool {
    let Ok(text) = fs::read_to_string(info) else {
        return false;
    };
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 0o3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_known_by_their_names() {
        for (path, is) in [
            ("/home/ann/.mozilla/cookies.sqlite", true),
            ("/home/ann/places.sqlite-wal", true),
            ("/var/lib/dpkg/lock-frontend", true),
            ("/etc/passwd", false),
            ("socket:[1234].db", false),
        ] {
            assert_eq!(is_database(Path::new(path)), is, "{path}");
        }
    }

    #[test]
    fn the_access_mode_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("info");
        for (flags, writable) in [("0100000", false), ("0100002", true), ("02100001", true)] {
            fs::write(&path, format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t1\n")).unwrap();
            assert_eq!(is_writable(&path), writable, "{flags}");
        }
    }
}
