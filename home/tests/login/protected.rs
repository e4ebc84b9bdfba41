//! Sticks that take no changes.

use crate::common::{command, succeed};
use crate::computer::{ANN, Computer, UID, run};
use crate::modes::image;
use crate::stick::Stick;
use crate::vacant;
use nix::sys::signal::{Signal, kill};
use std::fs;

/// The switch on a stick; in the other position again when this is dropped, or the next to use the
/// loop device would find it there.
struct Protected<'a>(&'a Stick);

impl<'a> Protected<'a> {
    fn new(stick: &'a Stick) -> Self {
        stick.wait_until_free();
        run(command("blockdev").arg("--setro").arg(&stick.node));
        Self(stick)
    }
}

impl Drop for Protected<'_> {
    fn drop(&mut self) {
        let _ = command("blockdev")
            .arg("--setrw")
            .arg(&self.0.node)
            .output();
    }
}

#[test]
fn of_a_write_protected_stick_the_home_is_read() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    for make in [vacant, image] {
        let stick = Stick::new(&computer, "STICK", make);
        let session = computer.log_in(ANN);
        fs::write(computer.home().join("letter"), "dear").unwrap();
        session.log_out();
        let _protected = Protected::new(&stick);
        let before = fs::read(&stick.image).unwrap();
        let session = computer.log_in(ANN);
        let said = session.said();
        assert!(said.contains("write-protected: you can read"), "{said}");
        assert_eq!(fs::read(computer.home().join("letter")).unwrap(), b"dear");
        let written = fs::write(computer.home().join("new"), "");
        assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::EROFS));
        session.log_out();
        assert!(!computer.has_home());
        assert!(
            before == fs::read(&stick.image).unwrap(),
            "the stick was written to"
        );
    }
}

#[test]
fn a_write_protected_stick_pulled_in_use_is_read_as_of_then() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", vacant);
    let session = computer.log_in(ANN);
    let letter = computer.home().join("letter");
    fs::write(&letter, "dear").unwrap();
    fs::write(computer.home().join("new"), "dearest").unwrap();
    // Its name on the stick is another one until it is settled.
    fs::rename(computer.home().join("new"), &letter).unwrap();
    succeed(&["sync", computer.home().to_str().unwrap()]);
    let server = computer.server().unwrap();
    kill(server, Signal::SIGKILL).unwrap();
    session.log_out();
    run(command("umount").args(["-l", "/home/ann"]));
    run(command("umount")
        .arg("-l")
        .arg(format!("/run/wendy-home/{UID}/stick")));
    let _protected = Protected::new(&stick);
    let session = computer.log_in(ANN);
    assert!(computer.has_home(), "{}", session.said());
    assert_eq!(fs::read(&letter).unwrap(), b"dearest");
    session.log_out();
}

#[test]
fn an_empty_write_protected_stick_says_so() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", vacant);
    let _protected = Protected::new(&stick);
    let said = computer.log_in(ANN).log_out();
    assert!(
        said.contains("write-protected, and there is no home on it"),
        "{said}"
    );
}

#[test]
fn of_an_image_from_elsewhere_that_cannot_be_repaired_the_kernel_sees_nothing() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    for (label, damage) in [
        ("DAMAGED", "freei <2>"),
        ("UNENDED", "set_super_value state 0"),
    ] {
        let stick = Stick::new(&computer, label, |stick| {
            image(stick);
            let file = stick.join("pershome/home.img");
            run(command("debugfs").args(["-w", "-R", damage]).arg(file));
        });
        let _protected = Protected::new(&stick);
        let session = computer.log_in(ANN);
        assert!(!computer.has_home(), "{label}");
        let said = session.log_out();
        assert!(said.contains("damaged"), "{label}: {said}");
    }
}
