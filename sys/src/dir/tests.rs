use std::{
    fs::{self, File},
    io::Seek,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use tempfile::{TempDir, tempdir};

use super::*;
use crate::{
    loopdev::{Loop, LoopOptions},
    testing::{fat, is_root, mount_fat},
};

fn playground() -> (TempDir, File) {
    let directory = tempdir().unwrap();
    let fd = File::open(directory.path()).unwrap();
    (directory, fd)
}

#[test]
fn paths_cannot_leave_the_directory() {
    let (directory, fd) = playground();
    fs::write(directory.path().join("plain"), "here").unwrap();
    symlink("plain", directory.path().join("inside")).unwrap();
    symlink("/etc", directory.path().join("outside")).unwrap();
    symlink("/proc/self/fd/0", directory.path().join("magic")).unwrap();
    for path in [
        "inside",
        "outside",
        "outside/passwd",
        "magic",
        "../..",
        "/etc/passwd",
        "a/../..",
    ] {
        assert!(open_beneath(&fd, path, OFlags::RDONLY).is_err(), "{path}");
    }
    assert_eq!(read_small(&fd, "plain", 4).unwrap(), b"here");
}

/// Nobody else has the medium written to.
#[test]
fn a_file_on_a_fat_is_there_as_a_whole_when_the_power_fails() {
    if !is_root() {
        return;
    }
    let (stick, mut image) = fat();
    let Some(mounted) = mount_fat(&stick) else {
        return;
    };
    for content in ["first", "the second"] {
        write_atomic(&mounted, "file", content.as_bytes(), 0o600).unwrap();
        let mut left = tempfile::tempfile().unwrap();
        image.rewind().unwrap();
        std::io::copy(&mut image, &mut left).unwrap();
        let plugged = Loop::attach(left.as_fd(), LoopOptions::default()).unwrap();
        let found = read_small(mount_fat(&plugged).unwrap(), "file", 100).unwrap();
        assert_eq!(found, content.as_bytes());
    }
}

#[test]
fn only_small_regular_files_are_read() {
    let (directory, fd) = playground();
    fs::write(directory.path().join("large"), "12345").unwrap();
    fs::create_dir(directory.path().join("directory")).unwrap();
    rustix::fs::mknodat(&fd, "fifo", FileType::Fifo, Mode::from(0o600), 0).unwrap();
    assert!(matches!(
        read_small(&fd, "large", 4),
        Err(Error::TooLarge { limit: 4, .. })
    ));
    assert_eq!(read_small(&fd, "large", 5).unwrap().len(), 5);
    for name in ["directory", "fifo"] {
        assert!(
            matches!(read_small(&fd, name, 4), Err(Error::Invalid { .. })),
            "{name}"
        );
    }
    assert_eq!(
        read_small(&fd, "absent", 4).unwrap_err().errno(),
        Some(Errno::NOENT)
    );
}

#[test]
fn a_written_file_replaces_the_old_one_as_a_whole() {
    let (directory, fd) = playground();
    let path = directory.path().join("file");
    write_atomic(&fd, "file", b"old", 0o644).unwrap();
    let reader = File::open(&path).unwrap();
    write_atomic(&fd, "file", b"new!", 0o640).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new!");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o640
    );
    assert_eq!(
        reader.metadata().unwrap().size(),
        3,
        "the old file stays whole for its readers"
    );
    assert_eq!(entries(&fd).unwrap().len(), 1);
}

#[test]
fn leftovers_of_an_interrupted_write_are_removed() {
    let (directory, fd) = playground();
    symlink("/etc/passwd", directory.path().join(".file.new")).unwrap();
    write_atomic(&fd, "file", b"new", 0o600).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_failed_write_leaves_the_old_file_alone() {
    let (directory, fd) = playground();
    fs::create_dir_all(directory.path().join("file/full")).unwrap();
    assert!(write_atomic(&fd, "file", b"new", 0o600).is_err());
    let left: Vec<_> = entries(&fd)
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(left, ["file"]);
    for name in ["", ".", "..", "a/b"] {
        assert!(write_atomic(&fd, name, b"", 0o600).is_err(), "{name:?}");
    }
}

#[test]
fn a_link_is_turned_in_one_step() {
    let (directory, fd) = playground();
    symlink_atomic(&fd, "current", "generations/1").unwrap();
    symlink_atomic(&fd, "current", "generations/2").unwrap();
    let target = fs::read_link(directory.path().join("current")).unwrap();
    assert_eq!(target, Path::new("generations/2"));
    assert_eq!(entries(&fd).unwrap()[0].kind, FileType::Symlink);
}

#[test]
fn directories_are_made_with_the_mode_asked_for() {
    let (directory, fd) = playground();
    let old = rustix::process::umask(Mode::from(0o077));
    make_dir(&fd, "a/./b", 0o755).unwrap();
    rustix::process::umask(old);
    let made = fs::metadata(directory.path().join("a/b")).unwrap();
    assert_eq!(made.permissions().mode() & 0o7777, 0o755);
    make_dir(&fd, "a/b/c", 0o700).unwrap();
    symlink("/tmp", directory.path().join("a/link")).unwrap();
    for path in ["a/link/x", "../x", "/x", "a/../../x"] {
        assert!(make_dir(&fd, path, 0o700).is_err(), "{path}");
    }
}

#[test]
fn links_are_followed_within_the_directory() {
    let (directory, fd) = playground();
    fs::create_dir_all(directory.path().join("generations/1/upper")).unwrap();
    symlink("generations/1", directory.path().join("current")).unwrap();
    symlink("/current/upper", directory.path().join("upper")).unwrap();
    symlink("../../../etc", directory.path().join("outside")).unwrap();
    assert_eq!(
        real_path(&fd, "upper").unwrap(),
        Path::new("generations/1/upper")
    );
    assert_eq!(real_path(&fd, "/").unwrap(), Path::new(""));
    assert_eq!(
        real_path(&fd, "outside").unwrap_err().errno(),
        Some(Errno::NOENT)
    );
}

#[test]
fn entries_come_sorted_and_in_their_own_bytes() {
    let (directory, fd) = playground();
    let odd = OsStr::from_bytes(b"\xff\n");
    for name in [OsStr::new("b"), OsStr::new(".hidden"), odd] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let names: Vec<_> = entries(&fd)
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, [OsStr::new(".hidden"), OsStr::new("b"), odd]);
}
