//! What the tools say when something cannot be done, and that they leave nothing behind then.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{Mounted, PROGRAM, can_mount, command, skip, succeed, wendy_home};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use wendy_home::store::superblock::{Parsed, Superblock};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn must(program: &str, arguments: &[&str]) -> String {
    let output = command(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn who_may_not_see_a_home_is_told_what_it_takes() {
    if !rustix::process::getuid().is_root() {
        return skip("becoming another user needs root");
    }
    let dir = tempfile::tempdir().unwrap();
    let (home, place) = (dir.path().join("home"), dir.path().join("place"));
    let open_to_all = || fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.path(), open_to_all()).unwrap();
    fs::create_dir(&place).unwrap();
    std::os::unix::fs::chown(&place, Some(4242), None).unwrap();
    succeed(&["create", text(&home)]);
    let program = program_in(dir.path());
    let arguments = [
        vec!["status", text(&home)],
        vec!["fsck", text(&home)],
        vec!["export", text(&home), "-"],
        vec!["mount", text(&home), text(&place)],
    ];
    // Either the home may be entered or not even that.
    for permissions in [0o755, 0o700] {
        fs::set_permissions(&home, fs::Permissions::from_mode(permissions)).unwrap();
        for arguments in &arguments {
            let output = as_person(4242, &program, arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{arguments:?}");
            let told = format!("you may not use the home in {}: that needs", text(&home));
            assert!(said.contains(&told), "{arguments:?}: {said}");
            assert!(!said.contains("os error"), "{said}");
        }
    }
}

#[test]
fn who_is_not_root_is_told_that_an_image_needs_it() {
    if !rustix::process::getuid().is_root() {
        return skip("becoming another user needs root");
    }
    let dir = tempfile::tempdir().unwrap();
    let (files, image) = (dir.path().join("files"), dir.path().join("image"));
    let program = program_in(dir.path());
    std::os::unix::fs::chown(dir.path(), Some(4242), None).unwrap();
    let created = as_person(4242, &program, &["create", text(&files)]);
    assert!(created.status.success(), "{created:?}");
    for arguments in [
        &["convert", "--to", "image", text(&files)][..],
        &["create", "--mode", "image", "--size", "20M", text(&image)],
    ] {
        let output = as_person(4242, &program, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said.contains("that needs root"), "{arguments:?}: {said}");
    }
    assert!(!image.exists());
}

/// The program where everybody may run it.
fn program_in(dir: &Path) -> PathBuf {
    let program = dir.join("wendy-home");
    fs::copy(PROGRAM, &program).unwrap();
    program
}

fn as_person(id: u32, program: &Path, arguments: &[&str]) -> Output {
    let mut program = command(program);
    program.args(arguments).uid(id).gid(id).output().unwrap()
}

#[test]
fn everybody_syncs_the_own_home_beside_those_of_others() {
    if !can_mount() {
        return skip("mounting needs root and /dev/fuse");
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = program_in(dir.path());
    let shown = ["4242", "4343"].map(|id| {
        let (stick, home) = (dir.path().join(format!("on-{id}")), dir.path().join(id));
        fs::create_dir(&home).unwrap();
        succeed(&["create", text(&stick)]);
        Mounted::new(&stick, &home, &["--uid", id, "--gid", id])
    });
    for id in [4242, 4343] {
        let output = as_person(id, &program, &["sync", "--json"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let synced: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let own = dir.path().join(id.to_string());
        assert_eq!(synced["synced"], serde_json::json!([own]));
    }
    let stranger = as_person(4444, &program, &["sync"]);
    let said = String::from_utf8_lossy(&stranger.stderr);
    assert_eq!(stranger.status.code(), Some(1), "{said}");
    assert!(said.contains("Permission denied"), "{said}");
    for mounted in shown {
        mounted.end();
    }
}

#[test]
fn where_a_home_is_only_shown_that_is_said() {
    if !can_mount() {
        return skip("mounting needs root and /dev/fuse");
    }
    let dir = tempfile::tempdir().unwrap();
    let (stick, home) = (dir.path().join("stick"), dir.path().join("home"));
    fs::create_dir(&home).unwrap();
    succeed(&["create", text(&stick)]);
    let mounted = Mounted::new(&stick, &home, &[]);
    let place = text(&home);
    for arguments in [
        &["status", place][..],
        &["fsck", place],
        &["export", place, "-"],
    ] {
        let output = wendy_home(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains("name the directory on the stick"), "{said}");
    }
    let refused = wendy_home(&["create", place]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("shows a home already"));
    mounted.end();
}

#[test]
fn where_an_image_is_shown_its_directory_is_named() {
    if !can_mount() || !Path::new("/dev/loop-control").exists() {
        return skip("mounting an image needs root and loop devices");
    }
    let dir = tempfile::tempdir().unwrap();
    let (stick, home) = (dir.path().join("stick"), dir.path().join("home"));
    fs::create_dir(&home).unwrap();
    succeed(&["create", "--mode", "image", "--size", "20M", text(&stick)]);
    let mounted = Mounted::new(&stick, &home, &[]);
    let output = wendy_home(&["status", text(&home)]);
    let said = String::from_utf8_lossy(&output.stderr);
    let named = format!("name {}, where it is kept", text(&stick));
    assert!(said.contains(&named), "{said}");
    mounted.end();
}

#[test]
fn a_home_does_not_bring_in_itself() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    succeed(&["create", text(&home)]);
    std::fs::write(dir.path().join("file"), "text").unwrap();
    for source in [dir.path(), &home] {
        let output = wendy_home(&["import", text(&home), text(source)]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("the home is itself in"), "{said}");
    }
    assert!(!home.join("file").exists());
}

#[test]
fn a_home_does_not_bring_in_itself_by_another_mount() {
    if !rustix::process::getuid().is_root() {
        return skip("mounting needs root");
    }
    let dir = tempfile::tempdir().unwrap();
    let (stick, again) = (dir.path().join("stick"), dir.path().join("again"));
    let home = stick.join("home");
    fs::create_dir(&stick).unwrap();
    fs::create_dir(&again).unwrap();
    succeed(&["create", text(&home)]);
    must("mount", &["--bind", text(&stick), text(&again)]);
    let output = wendy_home(&["import", text(&home), text(&again)]);
    must("umount", &[text(&again)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the home is itself in"), "{said:.200}");
}

#[test]
fn a_home_that_is_not_made_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let image = ["create", "--mode", "image", "--size", "9000T", text(&home)];
    assert!(!wendy_home(&image).status.success());
    assert!(!home.exists());
    // What was there stays.
    fs::create_dir(&home).unwrap();
    assert!(!wendy_home(&image).status.success());
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

/// In a filesystem that is too small for the logs of a home.
#[test]
fn a_home_that_does_not_fit_leaves_nothing() {
    if !rustix::process::getuid().is_root() {
        return skip("mounting needs root");
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=6m", "stick", text(dir.path())];
    must("mount", &mount);
    let home = dir.path().join("home");
    let output = wendy_home(&["create", text(&home)]);
    let (exists, said) = (home.exists(), String::from_utf8_lossy(&output.stderr));
    must("umount", &[text(dir.path())]);
    assert!(said.contains("No space left"), "{said}");
    assert!(!exists && !output.status.success());
}

#[test]
fn a_stick_without_a_home_is_told_by_its_name() {
    if !rustix::process::getuid().is_root() {
        return skip("loop devices need root");
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    must("mkfs.ext4", &["-q", text(&disk), "8M"]);
    let node = must("losetup", &["--find", "--show", text(&disk)]);
    let output = wendy_home(&["fsck", node.trim()]);
    must("losetup", &["--detach", node.trim()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(8), "{said}");
    let told = format!("there is no home on {}", node.trim());
    assert!(said.contains(&told) && !said.contains("/proc"), "{said}");
}

fn object(bytes: &[u8]) -> serde_json::Value {
    let said = String::from_utf8_lossy(bytes);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn programs_get_an_object_whether_it_works_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (home, none, archive) = (at("home"), at("none"), at("home.tar"));
    fs::create_dir(&none).unwrap();
    let image = ["create", "--mode", "image", "--size", "9000T", &none];
    for (arguments, status, error) in [
        (&["create", &home][..], 0, ""),
        (&["status", &home], 0, ""),
        (&["export", &home, &archive], 0, ""),
        (&["sync", &home], 0, ""),
        (&["status", &none], 1, "not-found"),
        (&["import", &home, &at("nowhere")], 1, "not-found"),
        (&["create", &home], 1, "failed"),
        (&image, 1, "no-space"),
        (&["fsck", &none], 8, "not-found"),
        (&["sync", &none], 1, "not-found"),
    ] {
        let output = command(PROGRAM).args(arguments).arg("--json").output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        if status == 0 {
            assert!(object(&output.stdout).is_object(), "{arguments:?}");
            assert_eq!(output.stderr, b"", "{arguments:?}");
        } else {
            let failure = object(&output.stderr);
            assert_eq!(failure["error"], error, "{arguments:?}: {failure}");
            assert_eq!(failure["exit_status"], status, "{arguments:?}");
            assert!(!failure["message"].as_str().unwrap().is_empty());
            assert_eq!(output.stdout, b"", "{arguments:?}");
        }
    }
}

#[test]
fn a_program_is_told_that_a_home_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["create", text(dir.path())]);
    let _holds = fs::File::open(dir.path()).unwrap();
    rustix::fs::flock(&_holds, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let status = object(succeed(&["status", "--json", text(dir.path())]).as_bytes());
    assert_eq!(status["in_use"], true);
    let refused = wendy_home(&["import", "--json", text(dir.path()), "/nowhere"]);
    assert_eq!(object(&refused.stderr)["error"], "busy");
}

/// As many of the shortest records as a checkpoint of this size holds, in less memory than they all take.
#[test]
fn forged_metadata_takes_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    succeed(&["create", text(&home)]);
    let at = |name: &str| home.join(".wendy").join(name);
    let supers = ["super.0", "super.1"].map(|name| Superblock::parse(&fs::read(at(name)).unwrap()));
    let newest = supers.into_iter().filter_map(|parsed| match parsed {
        Parsed::Valid(superblock) => Some(superblock),
        _ => None,
    });
    let newest = newest
        .max_by_key(|superblock| superblock.generation)
        .unwrap();
    let checkpoint = at(&format!("ckpt.{}", newest.slot));
    let mut bytes = fs::read(&checkpoint).unwrap();
    bytes.truncate(usize::try_from(newest.length).unwrap());
    let gone = [8, 99, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(gone.repeat(3 << 20));
    fs::write(&checkpoint, &bytes).unwrap();
    let forged = Superblock {
        length: bytes.len() as u64,
        crc: crc32c::crc32c(&bytes),
        ..newest
    };
    let name = format!("super.{}", forged.file());
    fs::write(at(&name), forged.encode()).unwrap();
    let limited = ["-c", "ulimit -v 300000; exec \"$0\" fsck \"$1\"", PROGRAM];
    let output = command("sh").args(limited).arg(&home).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
