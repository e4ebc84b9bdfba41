//! What goes wrong: sticks that hang or are away, programs that stay, processes that are killed.

use crate::common::{Mounted, command, succeed, wait_until, wendy_home};
use crate::computer::{ANN, Computer, UID, run};
use crate::stick::Stick;
use crate::{LIMIT, nothing, vacant};
use nix::sys::signal::{Signal, kill};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_killed_session_does_not_keep_the_home() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    let (first, second) = (computer.log_in(ANN), computer.log_in(ANN));
    drop(first);
    assert!(computer.has_home());
    second.log_out();
    assert!(!computer.has_home());
}

/// It still has the log of the login before.
#[test]
fn a_server_that_is_about_to_end_keeps_nobody_out() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    computer.log_in(ANN).log_out();
    let log = fs::File::open(format!("/run/wendy-home/{UID}/log")).unwrap();
    rustix::fs::flock(&log, rustix::fs::FlockOperation::LockShared).unwrap();
    let _stick = Stick::new(&computer, "STICK", vacant);
    let session = computer.log_in(ANN);
    assert!(computer.has_home(), "{}", session.said());
    session.log_out();
}

#[test]
fn a_home_whose_stick_is_away_keeps_nobody_out() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", vacant);
    let first = computer.log_in(ANN);
    // What the server notes when udev tells it.
    for (noted, told) in [
        ("", "plug it in again"),
        ("it smells", "cannot be used: it smells."),
    ] {
        fs::write(format!("/run/wendy-home/{UID}/pulled"), noted).unwrap();
        let second = computer.log_in(ANN);
        assert!(second.said().contains(told), "{}", second.said());
        assert!(computer.has_home());
        second.log_out();
    }
    drop(first);
    stick.forget_in_udev();
    let third = computer.log_in(ANN);
    assert!(third.said().contains("No stick"), "{}", third.said());
    assert!(!computer.has_home());
    third.log_out();
}

/// A stick whose blocks come from a process, which can be stopped.
pub fn stick_that_can_hang(computer: &Computer) -> (Mounted, Stick) {
    let (blocks, disk) = (computer.file("blocks"), computer.file("disk"));
    fs::create_dir(&blocks).unwrap();
    fs::create_dir(&disk).unwrap();
    succeed(&["create", blocks.to_str().unwrap()]);
    let server = Mounted::new(&blocks, &disk, &["--no-passthrough"]);
    let stick = Stick::in_image(computer, "STICK", &disk.join("image"), vacant);
    (server, stick)
}

#[test]
fn a_medium_that_hangs_holds_a_login_up_for_a_moment_only() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let (server_of_disk, stick) = stick_that_can_hang(&computer);
    server_of_disk.signal(Signal::SIGSTOP);
    let begin = Instant::now();
    let session = computer.log_in(ANN);
    let waited = begin.elapsed();
    let said = session.said();
    server_of_disk.signal(Signal::SIGCONT);
    assert!(said.contains("does not answer"), "{said}");
    assert!(waited < Duration::from_secs(45), "it took {waited:?}");
    // Too late: nobody waits any more.
    let server = computer.server().unwrap();
    wait_until("the server gives up", LIMIT, || kill(server, None).is_err());
    assert!(!computer.has_home());
    session.log_out();
    drop(stick);
    server_of_disk.end();
}

#[test]
fn who_keeps_the_home_busy_is_named_and_loses_nothing() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", vacant);
    let session = computer.log_in(ANN);
    let late = computer.home().join("late");
    let mut busy = command("sh")
        .args([
            "-c",
            "exec 3> \"$0\"; echo begun >&3; read go; echo ended >&3",
        ])
        .arg(&late)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the program begins", LIMIT, || {
        fs::read(&late).is_ok_and(|it| !it.is_empty())
    });
    let server = computer.server().unwrap();
    session.log_out();
    assert!(!computer.has_home());
    let named = format!("pid={} name=sh path=/home/ann/late\n", busy.id());
    assert!(computer.log().contains(&named), "{}", computer.log());
    drop(busy.stdin.take());
    assert!(busy.wait().unwrap().success());
    wait_until("the server ends", LIMIT, || kill(server, None).is_err());
    stick.look_into(&computer, |bare| {
        let late = fs::read_to_string(bare.join("pershome/late")).unwrap();
        assert_eq!(late, "begun\nended\n");
    });
}

#[test]
fn a_stick_that_nothing_here_can_repair_is_used_and_the_login_says_so() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", vacant);
    // As if it were not installed.
    run(command("mount").args(["--bind", "/dev/null", "/usr/sbin/e2fsck"]));
    let session = computer.log_in(ANN);
    let said = session.said();
    assert!(computer.has_home(), "{said}");
    assert!(said.contains("because e2fsck is not installed"), "{said}");
    session.log_out();
    let node = stick.node.to_str().unwrap();
    stick.wait_until_free();
    let repaired = wendy_home(&["fsck", "--repair", node]);
    assert_eq!(repaired.status.code(), Some(8));
    let said = String::from_utf8_lossy(&repaired.stderr);
    assert!(said.contains("e2fsck, which is not installed"), "{said}");
    run(command("umount").arg("/usr/sbin/e2fsck"));
    let session = computer.log_in(ANN);
    assert!(!session.said().contains("installed"), "{}", session.said());
    session.log_out();
}

#[test]
fn what_a_killed_server_left_is_cleared_at_the_next_login() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    let session = computer.log_in(ANN);
    fs::write(computer.home().join("file"), "text").unwrap();
    let server = computer.server().unwrap();
    kill(server, Signal::SIGKILL).unwrap();
    wait_until("the server is gone", LIMIT, || kill(server, None).is_err());
    assert!(fs::metadata(computer.home()).is_err(), "nobody answers");
    session.log_out();
    let session = computer.log_in(ANN);
    assert_eq!(fs::read(computer.home().join("file")).unwrap(), b"text");
    session.log_out();
}

#[test]
fn who_has_no_directory_yet_is_told_to_log_in_again() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    fs::remove_dir(computer.home()).unwrap();
    let session = computer.log_in(ANN);
    // As pam_mkhomedir does, after us.
    fs::create_dir(computer.home()).unwrap();
    let said = session.log_out();
    assert!(
        said.contains("/home/ann on this computer is not there yet"),
        "{said}"
    );
    assert!(said.contains("log out and in again"), "{said}");
    let session = computer.log_in(ANN);
    assert!(computer.has_home(), "{}", session.said());
    session.log_out();
}

#[test]
fn a_stick_that_the_computer_runs_from_is_not_talked_about() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let system = Stick::new(&computer, "rootfs", nothing);
    let said = system.look_into(&computer, |_| {
        let said = computer.log_in(ANN).log_out();
        assert!(said.contains("No stick with your home"), "{said}");
        let _stick = Stick::new(&computer, "PHOTOS", nothing);
        computer.log_in(ANN).log_out()
    });
    assert!(
        said.contains("There is no home on the stick PHOTOS"),
        "{said}"
    );
}
