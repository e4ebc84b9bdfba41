//! Homes kept as images, and what holds for both kinds.

use crate::common::{Mounted, command, succeed, wait_until};
use crate::computer::{ANN, Computer, UID, run};
use crate::slow::{PLACE, Served};
use crate::stick::Stick;
use crate::{LIMIT, vacant};
use nix::sys::signal::{Signal, kill};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

/// Makes a home in an image that belongs to somebody else's number.
pub fn image(stick: &Path) {
    let home = stick.join("pershome");
    let home = home.to_str().unwrap();
    let size = ["--mode", "image", "--size", "20M"];
    succeed(
        &[
            &["create", home, "--uid", "4711", "--gid", "4712"],
            &size[..],
        ]
        .concat(),
    );
}

#[test]
fn an_image_is_ones_home_whatever_ones_number_is() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", image);
    let session = computer.log_in(ANN);
    assert!(
        session.said().contains("on the stick STICK"),
        "{}",
        session.said()
    );
    let home = fs::metadata(computer.home()).unwrap();
    assert_eq!(
        (home.uid(), home.gid(), home.mode() & 0o777),
        (UID, UID, 0o700)
    );
    let ann = |script: &str| {
        let id = UID.to_string();
        let who = [
            "--reuid",
            &id,
            "--regid",
            &id,
            "--clear-groups",
            "sh",
            "-c",
            script,
        ];
        run(command("setpriv").args(who).current_dir(computer.home()));
    };
    ann("echo dear > letter && ln letter copy && ln -s letter link && mkdir -m 700 deep");
    let letter = fs::metadata(computer.home().join("letter")).unwrap();
    assert_eq!((letter.uid(), letter.nlink()), (UID, 2));
    let options = computer.mounts();
    let options = options
        .lines()
        .find(|line| line.contains(" /home/ann "))
        .unwrap();
    assert!(
        options.contains("nosuid") && options.contains("nodev"),
        "{options}"
    );
    session.log_out();
    assert!(!computer.has_home());
    stick.look_into(&computer, |bare| {
        let home = bare.join("pershome");
        let dump = succeed(&["dump", home.to_str().unwrap()]);
        assert!(dump.contains("\"path\":\"link\""), "{dump}");
        assert!(succeed(&["fsck", home.to_str().unwrap()]).contains("sound"));
    });
    let session = computer.log_in(ANN);
    assert_eq!(fs::read(computer.home().join("link")).unwrap(), b"dear\n");
    session.log_out();
}

#[test]
fn who_keeps_an_image_busy_is_named_and_loses_nothing() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", image);
    let session = computer.log_in(ANN);
    let late = computer.home().join("late");
    let mut busy = command("sh")
        .args([
            "-c",
            "exec 3> late; echo begun >&3; read go; echo ended >&3",
        ])
        .current_dir(computer.home())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the program begins", LIMIT, || {
        fs::read(&late).is_ok_and(|it| !it.is_empty())
    });
    let server = computer.server().unwrap();
    session.log_out();
    assert!(!computer.has_home());
    let named = format!("pid={} name=sh path=/home/ann\n", busy.id());
    assert!(computer.log().contains(&named), "{}", computer.log());
    assert!(
        kill(server, None).is_ok(),
        "the home is given up while it is used"
    );
    drop(busy.stdin.take());
    assert!(busy.wait().unwrap().success());
    wait_until("the server ends", LIMIT, || kill(server, None).is_err());
    let session = computer.log_in(ANN);
    assert_eq!(fs::read(&late).unwrap(), b"begun\nended\n");
    session.log_out();
    drop(stick);
}

#[test]
fn an_image_a_killed_server_left_mounted_is_never_mounted_twice() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", image);
    let session = computer.log_in(ANN);
    fs::write(computer.home().join("file"), "text").unwrap();
    let busy = fs::File::open(computer.home().join("file")).unwrap();
    let server = computer.server().unwrap();
    kill(server, Signal::SIGKILL).unwrap();
    wait_until("the server is gone", LIMIT, || kill(server, None).is_err());
    session.log_out();
    let session = computer.log_in(ANN);
    assert!(
        session.said().contains("cannot be used"),
        "{}",
        session.said()
    );
    session.log_out();
    drop(busy);
    let session = computer.log_in(ANN);
    assert_eq!(fs::read(computer.home().join("file")).unwrap(), b"text");
    session.log_out();
}

/// What root of another computer may put into a home, which is shown at `at`.
fn forge(at: &Path) {
    fs::copy("/usr/bin/id", at.join("id")).unwrap();
    fs::set_permissions(at.join("id"), fs::Permissions::from_mode(0o6755)).unwrap();
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
    run(command("mknod").arg(at.join("null")).args(["c", "1", "3"]));
    run(command("chmod").arg("666").arg(at.join("null")));
}

fn hostile_files(at: &Path, stick: &Path) {
    let home = stick.join("pershome");
    succeed(&["create", home.to_str().unwrap()]);
    let mounted = Mounted::new(&home, at, &["--uid", "4711", "--gid", "4712"]);
    forge(at);
    mounted.end();
}

fn hostile_image(at: &Path, stick: &Path) {
    image(stick);
    let file = stick.join("pershome/home.img");
    run(command("mount").arg(file).arg(at));
    forge(at);
    run(command("umount").arg(at));
}

#[test]
fn a_hostile_home_gains_nothing() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let elsewhere = computer.file("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for (name, fill) in [
        ("FILES", hostile_files as fn(&Path, &Path)),
        ("IMAGE", hostile_image),
    ] {
        let stick = Stick::new(&computer, name, |stick| fill(&elsewhere, stick));
        let session = computer.log_in(ANN);
        assert!(computer.has_home(), "{}", session.said());
        let (id, null) = (computer.home().join("id"), computer.home().join("null"));
        let forged = fs::metadata(&id).unwrap();
        assert_eq!((forged.uid(), forged.mode() & 0o6000), (0, 0o6000));
        assert!(fs::metadata(&null).unwrap().file_type().is_char_device());
        let written = fs::write(&null, "");
        assert!(written.is_err(), "{name}: a device of the stick's works");
        let who = ["--reuid", "1", "--regid", "1", "--clear-groups"];
        let who = run(command("setpriv").args(who).arg(id));
        let who = String::from_utf8(who.stdout).unwrap();
        assert!(!who.contains("root"), "{name}: {who}");
        session.log_out();
        drop(stick);
    }
}

#[test]
fn what_only_looks_like_an_image_is_left_alone() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let file = |stick: &Path| stick.join("pershome/home.img");
    type Forge<'a> = &'a dyn Fn(&Path);
    let forged: [(&str, Forge<'_>, &str); 4] = [
        (
            "link",
            &|stick| symlink("/etc/passwd", file(stick)).unwrap(),
            "no regular file",
        ),
        (
            "pipe",
            &|stick| drop(run(command("mkfifo").arg(file(stick)))),
            "no regular file",
        ),
        (
            "noise",
            &|stick| fs::write(file(stick), [0x55; 70_000]).unwrap(),
            "damaged",
        ),
        (
            "torn",
            &|stick| {
                fs::remove_dir_all(stick.join("pershome")).unwrap();
                image(stick);
                let image = fs::OpenOptions::new()
                    .write(true)
                    .open(file(stick))
                    .unwrap();
                // Larger than the file it is in.
                image.set_len(1 << 20).unwrap();
            },
            "damaged",
        ),
    ];
    for (name, forge, why) in forged {
        let stick = Stick::new(&computer, name, |stick| {
            vacant(stick);
            forge(stick);
        });
        let said = computer.log_in(ANN).log_out();
        assert!(said.contains(why), "{name}: {said}");
        stick.look_into(&computer, |bare| {
            assert!(fs::symlink_metadata(file(bare)).is_ok(), "{name}");
            assert!(!bare.join("pershome/.wendy/super.0").exists(), "{name}");
        });
    }
}

#[test]
fn a_home_that_cannot_be_told_of_is_not_shown() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    for (name, fill) in [("FILES", vacant as fn(&Path)), ("IMAGE", image)] {
        let stick = Stick::new(&computer, name, fill);
        // Room for who waits and who serves.
        fs::create_dir_all(PLACE).unwrap();
        run(command("mount").args(["-t", "tmpfs", "-o", "size=8k", "tmpfs", PLACE]));
        let mut served = Served::new(&computer, 60_000);
        assert!(!served.server.wait().unwrap().success(), "{name} fits");
        assert!(!computer.has_home(), "{name} is shown");
        run(command("umount").arg(PLACE));
        drop(stick);
    }
}
