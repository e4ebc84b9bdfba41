//! Logging in and out through PAM, as far as that goes without systemd and a vfat driver.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../common/mod.rs"]
mod common;
mod computer;
mod elsewhere;
mod forged;
mod modes;
mod protected;
mod pulled;
mod slow;
mod stick;
mod systemd;
mod trouble;

use common::{PROGRAM, command, wait_until};
use computer::{ANN, Computer, UID, run};
use nix::sys::signal::kill;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::time::Duration;
use stick::Stick;

const LIMIT: Duration = Duration::from_secs(60);

/// Makes the empty folder that is all a stick needs.
fn vacant(stick: &Path) {
    fs::create_dir(stick.join("pershome")).unwrap();
}

fn nothing(_: &Path) {}

#[test]
fn the_home_is_there_at_login_and_on_the_stick_after_logout() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", vacant);
    let session = computer.log_in(ANN);
    assert!(
        computer.has_home(),
        "{}\n{}",
        session.said(),
        computer.log()
    );
    assert!(session.said().contains("Your home is on the stick STICK"));
    let home = fs::metadata(computer.home()).unwrap();
    assert_eq!((home.uid(), home.mode() & 0o777), (UID, 0o700));
    let profile = fs::metadata(computer.home().join(".profile")).unwrap();
    assert_eq!(profile.uid(), UID, "a new home has what new homes have");
    fs::write(computer.home().join("letter"), "dear").unwrap();
    chown(computer.home().join("letter"), Some(UID), Some(UID)).unwrap();
    fs::set_permissions(
        computer.home().join("letter"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    session.log_out();
    assert!(!computer.has_home());
    assert!(!computer.home().join("letter").exists());
    stick.look_into(&computer, |bare| {
        assert_eq!(fs::read(bare.join("pershome/letter")).unwrap(), b"dear");
    });

    let session = computer.log_in(ANN);
    let letter = fs::metadata(computer.home().join("letter")).unwrap();
    assert_eq!((letter.uid(), letter.mode() & 0o7777), (UID, 0o640));
    session.log_out();
}

#[test]
fn who_is_not_listed_notices_nothing() {
    let Some(computer) = Computer::new(false) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    let session = computer.log_in(ANN);
    assert!(!computer.has_home());
    assert_eq!(
        session.log_out(),
        "pamtester: successfully opened a session\npamtester: session has successfully been closed.\n"
    );
    assert!(!Path::new("/run/wendy-home").exists());
}

#[test]
fn a_user_asks_for_it_with_a_file() {
    let Some(computer) = Computer::new(false) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    fs::write(computer.home().join(".persistent_home"), "").unwrap();
    let session = computer.log_in(ANN);
    assert!(computer.has_home(), "{}", session.said());
    session.log_out();
    assert!(!computer.has_home());
}

#[test]
fn without_a_stick_the_login_works_and_says_why() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let said = computer.log_in(ANN).log_out();
    assert!(said.contains("No stick with your home"), "{said}");
    let _stick = Stick::new(&computer, "PHOTOS", nothing);
    let said = computer.log_in(ANN).log_out();
    assert!(
        said.contains("There is no home on the stick PHOTOS"),
        "{said}"
    );
    assert!(said.contains("make a folder called pershome"), "{said}");
}

#[test]
fn the_home_stays_until_the_last_logout() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    let (first, second) = (computer.log_in(ANN), computer.log_in(ANN));
    assert!(!second.said().contains("stick"), "{}", second.said());
    first.log_out();
    assert!(computer.has_home());
    let third = computer.log_in(ANN);
    second.log_out();
    assert!(computer.has_home());
    third.log_out();
    assert!(!computer.has_home());
}

#[test]
fn nothing_is_put_under_a_session_that_began_without() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let first = computer.log_in(ANN);
    let _stick = Stick::new(&computer, "STICK", vacant);
    let second = computer.log_in(ANN);
    assert!(
        second.said().contains("log out everywhere"),
        "{}",
        second.said()
    );
    assert!(!computer.has_home());
    first.log_out();
    second.log_out();
    let third = computer.log_in(ANN);
    assert!(computer.has_home(), "{}", third.said());
    third.log_out();
}

#[test]
fn a_hostile_stick_gains_nothing() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let link = Stick::new(&computer, "LINK", |root| {
        symlink("/etc", root.join("pershome")).unwrap()
    });
    let said = computer.log_in(ANN).log_out();
    assert!(said.contains("LINK cannot be used"), "{said}");
    drop(link);

    let _stick = Stick::new(&computer, "EVIL", |root| {
        let home = root.join("pershome");
        fs::create_dir(&home).unwrap();
        fs::copy("/bin/sh", home.join("suid")).unwrap();
        fs::set_permissions(home.join("suid"), fs::Permissions::from_mode(0o4755)).unwrap();
        run(command("mknod")
            .arg(home.join("disk"))
            .args(["b", "7", "0"]));
        symlink("/etc/shadow", home.join("shadow")).unwrap();
    });
    let session = computer.log_in(ANN);
    assert!(computer.has_home(), "{}", session.said());
    let home = computer.home();
    assert_eq!(fs::metadata(home.join("suid")).unwrap().mode() & 0o7000, 0);
    let listed = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap());
    assert!(
        listed
            .into_iter()
            .all(|it| !it.file_type().unwrap().is_block_device())
    );
    assert!(fs::symlink_metadata(home.join("shadow")).is_err());
    let mounts = computer.mounts();
    for at in [
        " /home/ann ".to_owned(),
        format!("/run/wendy-home/{UID}/stick "),
    ] {
        let line = mounts.lines().find(|line| line.contains(&at)).unwrap();
        assert!(line.contains("nosuid,nodev"), "{line}");
    }
    session.log_out();
}

#[test]
fn one_account_never_gets_anothers_home() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", vacant);
    computer.log_in(ANN).log_out();
    let homes = Path::new("/var/lib/wendy-home");
    let note = fs::read_dir(homes).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read_to_string(&note).unwrap().starts_with("ann\n"));
    fs::write(&note, "daemon\n").unwrap();
    let said = computer.log_in(ANN).log_out();
    assert!(said.contains("belongs to daemon"), "{said}");

    fs::remove_file(&note).unwrap();
    let _other = Stick::new(&computer, "OTHER", |root| {
        fs::create_dir(root.join("pershome")).unwrap();
        let made = command(PROGRAM)
            .arg("create")
            .arg(root.join("pershome"))
            .output();
        assert!(made.unwrap().status.success());
    });
    let said = computer.log_in(ANN).log_out();
    assert!(
        said.contains("OTHER, STICK") || said.contains("STICK, OTHER"),
        "{said}"
    );
    drop(stick);
    let said = computer.log_in(ANN).log_out();
    assert!(said.contains("Your home is on the stick OTHER"), "{said}");
}

#[test]
fn a_stick_in_use_is_left_alone() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", vacant);
    let said = stick.look_into(&computer, |_| computer.log_in(ANN).log_out());
    assert!(said.contains("STICK is in use"), "{said}");
}

#[test]
fn the_environment_of_a_login_is_not_believed() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    for (user, service) in [
        ("root", "login"),
        ("../ann", "login"),
        ("ann\nroot", "login"),
        ("", ""),
        ("ann", "sudo"),
        ("ann", "systemd-user"),
    ] {
        let output = command(PROGRAM)
            .args(["login", "open"])
            .env("PAM_USER", user)
            .env("PAM_SERVICE", service)
            .output()
            .unwrap();
        assert!(
            output.status.success() && output.stdout.is_empty(),
            "{output:?}"
        );
    }
    assert!(!computer.has_home());
    // Who connects from the computer itself may be anybody's job that runs at night.
    for host in ["elsewhere.example", "127.0.0.1", "localhost"] {
        let output = command(PROGRAM)
            .args(["login", "open"])
            .env("PAM_USER", ANN)
            .env("PAM_SERVICE", "sshd")
            .env("PAM_RHOST", host)
            .env("PATH", computer.file("nowhere"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("log in at the computer itself"), "{said}");
        assert!(!computer.has_home());
        wait_until("the server ends", LIMIT, || {
            computer
                .server()
                .is_none_or(|server| kill(server, None).is_err())
        });
        fs::write(format!("/run/wendy-home/{UID}/sessions"), "").unwrap();
    }
}
