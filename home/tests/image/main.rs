//! Homes kept as images, on the filesystem of this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod away;
#[path = "../common/mod.rs"]
mod common;

use common::{Mounted, PROGRAM, can_mount, command, skip, succeed, wendy_home};
use std::fs;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

/// A directory of a stick, and a place to show the home in it.
struct Stick {
    dir: tempfile::TempDir,
}

impl Stick {
    fn new() -> Option<Self> {
        if !can_mount() {
            skip("needs root and loop devices");
            return None;
        }
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        fs::create_dir(dir.path().join("shown")).unwrap();
        Some(Self { dir })
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("pershome")
    }

    fn text(&self) -> String {
        self.home().to_str().unwrap().to_owned()
    }

    fn image(&self) -> PathBuf {
        self.home().join("home.img")
    }

    fn shown(&self) -> PathBuf {
        self.dir.path().join("shown")
    }

    fn create(&self, size: &str, failpoints: &str) -> Output {
        command(PROGRAM)
            .args(["create", &self.text(), "--mode", "image", "--size", size])
            .env("WENDY_FAILPOINTS", failpoints)
            .output()
            .unwrap()
    }

    fn must_create(&self) {
        let output = self.create("20MiB", "");
        assert!(output.status.success(), "{output:?}");
    }

    fn mount(&self) -> Mounted {
        Mounted::new(&self.home(), &self.shown(), &[])
    }

    fn status(&self) -> serde_json::Value {
        serde_json::from_str(&succeed(&["status", "--json", &self.text()])).unwrap()
    }
}

fn said(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn e2fsck(image: &Path) -> bool {
    let run = command("e2fsck").arg("-fn").arg(image).output().unwrap();
    run.status.success()
}

#[test]
fn an_image_takes_all_its_room_at_once_and_tells_a_stranger_what_it_is() {
    use std::os::unix::fs::MetadataExt as _;
    let Some(stick) = Stick::new() else { return };
    stick.must_create();
    let facts = fs::metadata(stick.image()).unwrap();
    assert_eq!(facts.len(), 20 << 20);
    assert!(facts.blocks() * 512 >= 20 << 20, "there are holes in it");
    assert!(e2fsck(&stick.image()));
    let text = fs::read_to_string(stick.home().join(".wendy/VERSION.txt")).unwrap();
    assert!(
        text.contains("home.img") && text.contains("mount -o loop"),
        "{text}"
    );
    let status = stick.status();
    assert_eq!(
        (&status["mode"], &status["clean"]),
        (&"image".into(), &true.into())
    );
    assert_eq!(status["inodes"], 0);
    let again = said(&wendy_home(&["create", &stick.text()]));
    assert!(again.contains("there is a home in"), "{again}");
}

#[test]
fn sizes_that_make_no_sense_are_refused_before_anything_is_written() {
    let Some(stick) = Stick::new() else { return };
    for (size, why) in [
        ("1M", "16 MiB"),
        ("9000T", "not enough room"),
        ("much", "a size is"),
    ] {
        let said = said(&stick.create(size, ""));
        assert!(said.contains(why), "{size}: {said}");
        assert!(!stick.home().join(".wendy").exists());
    }
    let said = said(&wendy_home(&["create", &stick.text(), "--mode", "image"]));
    assert!(said.contains("--size"), "{said}");
}

#[test]
fn what_an_interrupted_creation_leaves_is_no_home() {
    let Some(stick) = Stick::new() else { return };
    for action in ["kill", "eio"] {
        for step in ["reserve", "format", "begin", "made", "rename"] {
            let output = stick.create("20M", &format!("image.{step}=return({action})"));
            assert!(!output.status.success(), "{step}");
            assert!(!stick.image().exists(), "{step}");
            let status = said(&wendy_home(&["status", &stick.text()]));
            assert!(status.contains("no home here"), "{step}: {status}");
        }
    }
    // Named last, and whole by then.
    stick.create("20M", "image.renamed=return(kill)");
    assert_eq!(stick.status()["clean"], true);
    assert!(e2fsck(&stick.image()));
    fs::remove_dir_all(stick.home()).unwrap();
    // A home of files is no worse for what is left.
    stick.create("20M", "image.made=return(kill)");
    succeed(&["create", &stick.text()]);
    assert!(!stick.home().join(".wendy/home.img.new").exists());
    assert_eq!(stick.status()["mode"], "files");
}

#[test]
fn an_image_in_use_belongs_to_one() {
    let Some(stick) = Stick::new() else { return };
    stick.must_create();
    let mounted = stick.mount();
    fs::write(stick.shown().join("file"), "text").unwrap();
    let second = stick.dir.path().join("second");
    fs::create_dir(&second).unwrap();
    let second = second.to_str().unwrap().to_owned();
    let home = stick.text();
    for refused in [
        vec!["mount", &home, &second],
        vec!["fsck", &home],
        vec!["fsck", "--repair", &home],
        vec!["convert", "--to", "files", &home],
    ] {
        let said = said(&wendy_home(&refused));
        assert!(said.contains("unmount it before"), "{refused:?}: {said}");
    }
    let status = stick.status();
    assert_eq!(status["in_use"], true);
    assert_eq!(status["shown_at"], stick.shown().to_str().unwrap());
    // One can look at what is there.
    succeed(&["sync", &home]);
    assert!(succeed(&["dump", &home]).contains("\"path\":\"file\""));
    mounted.end();
    assert_eq!(stick.status()["in_use"], false);
    assert!(e2fsck(&stick.image()));
}

#[test]
fn an_image_mounted_by_hand_is_not_mounted_twice() {
    let Some(stick) = Stick::new() else { return };
    stick.must_create();
    let mount = command("mount")
        .arg(stick.image())
        .arg(stick.shown())
        .status();
    assert!(mount.unwrap().success());
    let second = stick.dir.path().join("second");
    fs::create_dir(&second).unwrap();
    let said = said(&wendy_home(&[
        "mount",
        &stick.text(),
        second.to_str().unwrap(),
    ]));
    command("umount").arg(stick.shown()).status().unwrap();
    assert!(said.contains("in use already"), "{said}");
}

#[test]
fn a_home_nobody_unmounted_is_brought_in_order_first() {
    let Some(stick) = Stick::new() else { return };
    stick.must_create();
    let mounted = stick.mount();
    fs::write(stick.shown().join("kept"), "text").unwrap();
    succeed(&["sync", stick.shown().to_str().unwrap()]);
    let pulled = Stick::new().unwrap();
    fs::create_dir(pulled.home()).unwrap();
    let copied = command("cp")
        .arg(stick.image())
        .arg(pulled.image())
        .status();
    assert!(copied.unwrap().success());
    mounted.end();
    assert_eq!(pulled.status()["clean"], false);
    assert_eq!(wendy_home(&["fsck", &pulled.text()]).status.code(), Some(4));
    let refused = said(&wendy_home(&["dump", &pulled.text()]));
    assert!(refused.contains("not unmounted in order"), "{refused}");
    let mounted = pulled.mount();
    assert_eq!(fs::read(pulled.shown().join("kept")).unwrap(), b"text");
    mounted.end();
    assert!(e2fsck(&pulled.image()));
}

#[test]
fn a_damaged_image_is_not_mounted_before_it_is_repaired() {
    let Some(stick) = Stick::new() else { return };
    // With less there is no copy of the superblock.
    assert!(stick.create("160M", "").status.success());
    let mounted = stick.mount();
    fs::create_dir(stick.shown().join("dir")).unwrap();
    fs::write(stick.shown().join("dir/kept"), "text").unwrap();
    mounted.end();
    // The superblock, which has copies, and the state that would make e2fsck look.
    let image = fs::File::options().write(true).open(stick.image()).unwrap();
    image.write_at(&[0; 1024], 1024).unwrap();
    let refused = said(&wendy_home(&[
        "mount",
        &stick.text(),
        stick.shown().to_str().unwrap(),
    ]));
    assert!(refused.contains("fsck --repair"), "{refused}");
    assert_eq!(wendy_home(&["fsck", &stick.text()]).status.code(), Some(4));
    assert_eq!(
        wendy_home(&["fsck", "--repair", &stick.text()])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(wendy_home(&["fsck", &stick.text()]).status.code(), Some(0));
    let mounted = stick.mount();
    assert_eq!(fs::read(stick.shown().join("dir/kept")).unwrap(), b"text");
    mounted.end();
}

#[test]
fn damage_that_the_superblock_knows_nothing_of_is_told() {
    let Some(stick) = Stick::new() else { return };
    stick.must_create();
    let damage = command("debugfs")
        .args(["-w", "-R", "freei <2>"])
        .arg(stick.image())
        .output()
        .unwrap();
    assert!(damage.status.success(), "{damage:?}");
    assert!(!e2fsck(&stick.image()));
    assert_eq!(stick.status()["clean"], true);
    let fsck = |option: &str| {
        let output = wendy_home(&["fsck", &stick.text(), option]);
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), said)
    };
    let (status, said) = fsck("--json");
    assert_eq!(status, Some(4), "{said}");
    let (status, said) = fsck("--repair");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("It is in order now"), "{said}");
    assert_eq!(fsck("--json").0, Some(0));
}

#[test]
fn what_is_no_file_is_no_image() {
    let Some(stick) = Stick::new() else { return };
    fs::create_dir(stick.home()).unwrap();
    let pipe = |at: &Path| {
        let made = command("mkfifo").arg(at).status().unwrap();
        assert!(made.success());
    };
    let link = |at: &Path| symlink("/etc/passwd", at).unwrap();
    for make in [&pipe as &dyn Fn(&Path), &link] {
        make(&stick.image());
        for arguments in [
            vec!["status", &stick.text()],
            vec!["mount", &stick.text(), stick.shown().to_str().unwrap()],
            vec!["fsck", "--repair", &stick.text()],
        ] {
            let said = said(&wendy_home(&arguments));
            assert!(said.contains("no regular file"), "{arguments:?}: {said}");
        }
        fs::remove_file(stick.image()).unwrap();
    }
}

#[test]
fn sync_makes_a_home_of_files_durable_whatever_names_it() {
    let Some(stick) = Stick::new() else { return };
    succeed(&["create", &stick.text()]);
    let mounted = Mounted::new(&stick.home(), &stick.shown(), &["--commit", "60"]);
    let (home, shown) = (stick.text(), stick.shown());
    for (number, name) in [shown.to_str().unwrap(), &home].into_iter().enumerate() {
        let file = format!("file{number}");
        fs::write(shown.join(&file), "text").unwrap();
        let link = shown.join(format!("link{number}"));
        symlink(&file, &link).unwrap();
        succeed(&["sync", name]);
        // What is on the medium now is what a pulled stick has.
        let dump = succeed(&["dump", &home]);
        assert!(
            dump.contains(&format!("\"path\":\"link{number}\"")),
            "{dump}"
        );
        let line = dump
            .lines()
            .find(|line| line.contains(&format!("\"path\":\"{file}\"")));
        assert!(line.unwrap().contains("\"size\":4"), "{dump}");
        let names = rustix::fs::listxattr(&shown, &mut [0; 4096][..]).unwrap();
        assert_eq!(names, 0, "the request was kept");
    }
    mounted.end();
    let said = said(&wendy_home(&["sync", "/etc"]));
    assert!(said.contains("no home"), "{said}");
}
