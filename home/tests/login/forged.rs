//! Sticks that say they hold somebody's home.

use crate::common::{PROGRAM, command, wait_until};
use crate::computer::{ANN, Computer, run};
use crate::modes::image;
use crate::stick::Stick;
use crate::{LIMIT, vacant};
use nix::sys::signal::kill;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The secret on the stick, in the words of the notes.
fn secret(bare: &Path) -> String {
    let file = bare.join("pershome/.wendy/secret");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bytes = fs::read(&file).unwrap();
    assert_eq!(bytes.len(), 32);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file with the only note of this computer, which is called by the identity of the home.
fn note() -> PathBuf {
    let notes = fs::read_dir("/var/lib/wendy-home").unwrap();
    let notes: Vec<_> = notes.map(|note| note.unwrap().path()).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    notes[0].clone()
}

/// Logs in from elsewhere and out again: what the login says.
fn over_the_network(computer: &Computer) -> String {
    let hook = |when: &str| {
        let output = command(PROGRAM)
            .args(["login", when])
            .env("PAM_USER", ANN)
            .env("PAM_SERVICE", "sshd")
            .env("PAM_RHOST", "elsewhere.example")
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let said = hook("open");
    hook("close");
    wait_until("the server ends", LIMIT, || {
        let server = computer.server();
        server.is_none_or(|server| kill(server, None).is_err())
    });
    said
}

#[test]
fn who_only_knows_the_identity_of_a_home_gains_nothing() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", image);
    computer.log_in(ANN).log_out();
    let noted = fs::read_to_string(note()).unwrap();
    let secret = stick.look_into(&computer, secret);
    assert_eq!(noted, format!("ann\n{secret}\n"));
    stick.wait_until_free();
    let said = over_the_network(&computer);
    assert!(said.contains("Your home is on the stick STICK"), "{said}");
    stick.wait_until_free();
    drop(stick);

    // Anybody could read it while the home was in use.
    let id = note();
    let _forged = Stick::new(&computer, "FORGED", |root| {
        vacant(root);
        run(command("mke2fs")
            .args(["-q", "-t", "ext4", "-U"])
            .arg(id.file_name().unwrap())
            .arg(root.join("pershome/home.img"))
            .arg("20M"));
    });
    let said = over_the_network(&computer);
    assert!(said.contains("log in at the computer itself"), "{said}");
    assert_eq!(fs::read_to_string(note()).unwrap(), noted);
}

#[test]
fn a_home_noted_without_a_secret_is_looked_at_as_a_whole_once() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", image);
    computer.log_in(ANN).log_out();
    let noted = fs::read_to_string(note()).unwrap();
    fs::write(note(), "ann\n").unwrap();
    stick.wait_until_free();
    stick.look_into(&computer, |bare| {
        // Nothing that the superblock would tell of.
        let file = bare.join("pershome/home.img");
        let links = ["-w", "-R", "sif <2> links_count 9"];
        run(command("debugfs").args(links).arg(file));
    });
    let said = over_the_network(&computer);
    assert!(said.contains("log in at the computer itself"), "{said}");
    let session = computer.log_in(ANN);
    assert!(computer.has_home(), "{}", session.said());
    let log = computer.log();
    assert!(log.contains("found=Repaired"), "{log}");
    session.log_out();
    assert_eq!(fs::read_to_string(note()).unwrap(), noted);
    stick.wait_until_free();
    let said = over_the_network(&computer);
    assert!(said.contains("Your home is on the stick STICK"), "{said}");
}

#[test]
fn a_file_that_only_seems_to_be_roots_is_no_stick() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let roots = fs::metadata("/etc/passwd").unwrap();
    assert_eq!((roots.uid(), roots.mode() & 0o022), (0, 0));
    let stick = Stick::in_another_tree(&computer, "FORGED", Path::new("/etc/passwd"));
    let device = stick.node.file_name().unwrap().to_str().unwrap();
    let shown = fs::read_to_string(format!("/sys/block/{device}/loop/backing_file"));
    assert_eq!(shown.unwrap(), "/etc/passwd\n");
    let said = computer.log_in(ANN).log_out();
    assert!(said.contains("No stick with your home"), "{said}");
}
