//! The mounted filesystem, on a lower directory of this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{Mounted, assert_posix, can_mount, command, find, skip, succeed};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

struct Places {
    /// Keeps the directories until the end.
    _dir: tempfile::TempDir,
    stick: PathBuf,
    home: PathBuf,
}

fn places() -> Option<Places> {
    if !can_mount() {
        skip("mounting needs root and /dev/fuse");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let (stick, home) = (dir.path().join("stick"), dir.path().join("home"));
    [&stick, &home]
        .into_iter()
        .for_each(|path| fs::create_dir(path).unwrap());
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    succeed(&["create", stick.to_str().unwrap()]);
    Some(Places {
        _dir: dir,
        stick,
        home,
    })
}

#[test]
fn a_home_shows_the_same_after_the_next_login() {
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    let mounted = Mounted::new(&stick, &home, &[]);
    fs::create_dir(home.join("dir")).unwrap();
    fs::write(home.join("dir/a:b"), "text").unwrap();
    fs::set_permissions(home.join("dir/a:b"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::hard_link(home.join("dir/a:b"), home.join("hard")).unwrap();
    symlink("dir/a:b", home.join("soft")).unwrap();
    let before = home.join("hard").metadata().unwrap();
    mounted.end();
    assert_eq!(fs::read(stick.join("dir/a\u{F03A}b")).unwrap(), b"text");

    let mounted = Mounted::new(&stick, &home, &[]);
    let after = home.join("soft").metadata().unwrap();
    let facts = |m: &fs::Metadata| (m.ino(), m.mode(), m.nlink(), m.mtime_nsec(), m.ctime_nsec());
    assert_eq!(facts(&after), facts(&before));
    mounted.end();
}

#[test]
fn owners_follow_the_person() {
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    let mounted = Mounted::new(&stick, &home, &["--uid", "1000", "--gid", "1000"]);
    fs::write(home.join("mine"), "").unwrap();
    std::os::unix::fs::chown(home.join("mine"), Some(1000), Some(1000)).unwrap();
    mounted.end();
    let mounted = Mounted::new(&stick, &home, &["--uid", "2001", "--gid", "2002"]);
    let facts = home.join("mine").metadata().unwrap();
    assert_eq!((facts.uid(), facts.gid()), (2001, 2002));
    mounted.end();
}

#[test]
fn what_the_kernel_writes_by_itself_is_noticed() {
    use std::io::Write as _;
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    let mounted = Mounted::new(&stick, &home, &[]);
    let path = home.join("log");
    let mut file = fs::File::create(&path).unwrap();
    let first = path.metadata().unwrap();
    file.write_all(b"one line\n").unwrap();
    let second = path.metadata().unwrap();
    assert_eq!(second.len(), 9);
    assert!(second.modified().unwrap() >= first.modified().unwrap());
    file.set_len(3).unwrap();
    assert_eq!(path.metadata().unwrap().len(), 3);
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1234);
    file.write_all(b"more").unwrap();
    file.set_modified(long_ago).unwrap();
    assert_eq!(path.metadata().unwrap().modified().unwrap(), long_ago);
    drop(file);
    let before = path.metadata().unwrap();
    assert_eq!((before.len(), before.modified().unwrap()), (13, long_ago));
    mounted.end();
    let mounted = Mounted::new(&stick, &home, &[]);
    let after = path.metadata().unwrap();
    assert_eq!((after.len(), after.modified().unwrap()), (13, long_ago));
    assert_eq!(fs::read(&path).unwrap(), b"one\0\0\0\0\0\0more");
    mounted.end();
}

/// A mount without passthrough does the same more slowly: only what the server does tells.
#[test]
fn the_kernel_reads_and_writes_by_itself_where_it_can() {
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    if !offers_passthrough(&home) || is_stacked(&stick) {
        return skip("the kernel has no FUSE passthrough, or none to an overlay");
    }
    let file = home.join("film");
    for (options, by_itself) in [(&[][..], true), (&["--no-passthrough"], false)] {
        for work in [
            &(|| fs::write(&file, vec![1; LONG]).unwrap()) as &dyn Fn(),
            // Of a new mount nothing is in the cache.
            &|| assert_eq!(fs::read(&file).unwrap().len(), LONG),
        ] {
            let mounted = Mounted::new(&stick, &home, options);
            let before = mounted.passed();
            work();
            let passed = usize::try_from(mounted.passed() - before).unwrap();
            assert!(
                (passed < LONG / 16) == by_itself,
                "{options:?}: {passed} bytes"
            );
            assert!(by_itself || passed >= LONG, "{options:?}: {passed} bytes");
            mounted.end();
        }
    }
}

/// Whether a directory is on an overlay, above which the kernel stacks nothing else.
fn is_stacked(directory: &Path) -> bool {
    const OVERLAYFS_SUPER_MAGIC: i64 = 0x794c_7630;
    rustix::fs::statfs(directory).unwrap().f_type == OVERLAYFS_SUPER_MAGIC
}

/// Bytes of a file that no cache of a file's beginning holds.
const LONG: usize = 8 << 20;

/// Whether this kernel lets a filesystem ask for passthrough, as told to one that does nothing else.
fn offers_passthrough(target: &Path) -> bool {
    struct Asks(std::sync::mpsc::Sender<bool>);
    impl fuser::Filesystem for Asks {
        fn init(
            &mut self,
            _: &fuser::Request,
            config: &mut fuser::KernelConfig,
        ) -> std::io::Result<()> {
            let able = config.add_capabilities(fuser::InitFlags::FUSE_PASSTHROUGH);
            self.0.send(able.is_ok()).unwrap();
            Ok(())
        }
    }
    let (told, answer) = std::sync::mpsc::channel();
    let _session = fuser::spawn_mount(Asks(told), target, &fuser::Config::default()).unwrap();
    answer.recv().unwrap()
}

#[test]
fn a_stick_that_takes_no_changes_is_shown_as_it_is() {
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    fs::write(stick.join("file"), "text").unwrap();
    let bound = |options: &[&str]| {
        let status = command("mount").args(options).arg(&stick).status().unwrap();
        assert!(status.success());
    };
    assert!(
        command("mount")
            .arg("--bind")
            .args([&stick, &stick])
            .status()
            .unwrap()
            .success()
    );
    bound(&["-o", "remount,bind,ro"]);
    let mounted = Mounted::new(&stick, &home, &[]);
    assert_eq!(fs::read(home.join("file")).unwrap(), b"text");
    let refused = fs::write(home.join("new"), "").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    mounted.end();
    assert!(command("umount").arg(&stick).status().unwrap().success());
}

#[test]
fn a_busy_home_ends_when_asked_again() {
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    let mounted = Mounted::new(&stick, &home, &[]);
    let file = fs::File::create(home.join("open")).unwrap();
    mounted.ask_to_end();
    fs::write(home.join("more"), "text").unwrap();
    drop(file);
    mounted.ask_until_ended();
    assert_eq!(fs::read(stick.join("more")).unwrap(), b"text");
}

#[test]
fn two_cannot_use_one_home() {
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    let mounted = Mounted::new(&stick, &home, &[]);
    let second = common::wendy_home(&["mount", stick.to_str().unwrap(), home.to_str().unwrap()]);
    let refused = String::from_utf8_lossy(&second.stderr);
    assert!(refused.contains("in use already"), "{refused}");
    assert!(!refused.contains("os error"), "{refused}");
    let looked_at = common::succeed(&["fsck", stick.to_str().unwrap()]);
    assert!(looked_at.contains("is in use"), "{looked_at}");
    mounted.end();
}

#[test]
fn pjdfstest_finds_no_failure() {
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    for options in [&[][..], &["--no-passthrough"]] {
        let mounted = Mounted::new(&stick, &home, options);
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        if !run_pjdfstest(&home) {
            return skip("cargo install pjdfstest --version 0.2.2 --locked");
        }
        mounted.end();
    }
}

#[test]
fn fsx_finds_no_difference() {
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    let Some(fsx) = find("fsx") else {
        return skip("cargo install fsx --locked");
    };
    for options in [&[][..], &["--no-passthrough"]] {
        let mounted = Mounted::new(&stick, &home, options);
        let count = std::env::var("FSX_OPERATIONS").unwrap_or_else(|_| "3000".into());
        let output = command(&fsx)
            .args(["-N", &count, "-S", "7"])
            .arg(home.join("file"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        fs::remove_file(home.join("file")).unwrap();
        mounted.end();
    }
}

#[test]
fn writers_at_once_leave_nothing_undeletable() {
    let Some(Places { _dir, stick, home }) = places() else {
        return;
    };
    let mounted = Mounted::new(&stick, &home, &["--commit", "1", "--settle-now"]);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let home = &home;
            scope.spawn(move || shuffle(home, writer));
        }
    });
    for entry in fs::read_dir(&home).unwrap() {
        let path = entry.unwrap().path();
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    mounted.end();
    let left: Vec<_> = fs::read_dir(&stick)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, [".wendy"]);
    assert_eq!(fs::read_dir(stick.join(".wendy/tmp")).unwrap().count(), 0);
}

/// Makes, moves, links and removes the same few names as all others; what fails, fails.
fn shuffle(home: &Path, writer: usize) {
    let mut random = writer * 1_000_003 + 12345;
    let mut next = |end: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % end
    };
    for _ in 0..1500 {
        let mut path = || {
            let (dir, name) = (next(4), ["a", "A", "b:", "con"][next(4)]);
            if dir == 0 {
                home.join(name)
            } else {
                home.join(format!("dir{dir}")).join(name)
            }
        };
        let (a, b) = (path(), path());
        let _ = match next(8) {
            0 => fs::create_dir_all(a.parent().unwrap()),
            1 => fs::create_dir(&a),
            2 => fs::remove_dir(&a),
            3 => fs::remove_file(&a),
            4 => fs::hard_link(&a, &b),
            5 => symlink("nowhere", &a),
            6 => fs::rename(&a, &b),
            _ => fs::write(&a, vec![b'x'; next(20_000)]),
        };
    }
}

fn run_pjdfstest(home: &Path) -> bool {
    let Some(pjdfstest) = find("pjdfstest") else {
        return false;
    };
    let (inside, outside) = (home.join("pjdfstest"), tempfile::tempdir().unwrap());
    fs::create_dir_all(&inside).unwrap();
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o777)).unwrap();
    let output = command(pjdfstest)
        .args([
            "-c",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pjdfstest.toml"),
            "-s",
        ])
        .arg(outside.path())
        .arg("-p")
        .arg(&inside)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_posix(&said, &String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?}", output.status);
    true
}
