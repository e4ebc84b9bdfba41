//! Sticks that were elsewhere meanwhile: where groups have other numbers, or where they were copied.

use crate::computer::{ANN, Computer, UID};
use crate::stick::Stick;
use crate::vacant;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};

/// Gives the groups of this computer these lines beside those it has, as on another computer.
fn groups(others: &str, own: &str) {
    fs::write("/etc/group", format!("{others}{own}")).unwrap();
}

#[test]
fn a_group_is_the_one_of_that_name_on_every_computer() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    let all = fs::read_to_string("/etc/group").unwrap();
    let (song, sketch) = (computer.home().join("song"), computer.home().join("sketch"));
    groups(&all, "choir:x:7001:\n");
    let session = computer.log_in(ANN);
    fs::write(&song, "la").unwrap();
    chown(&song, Some(UID), Some(7001)).unwrap();
    session.log_out();

    groups(&all, "choir:x:7002:\npainters:x:7001:\n");
    let session = computer.log_in(ANN);
    assert_eq!(fs::metadata(&song).unwrap().gid(), 7002, "choir");
    fs::write(&sketch, "/\\").unwrap();
    chown(&sketch, Some(UID), Some(7001)).unwrap();
    session.log_out();

    groups(&all, "painters:x:7003:\n");
    let session = computer.log_in(ANN);
    assert_eq!(fs::metadata(&sketch).unwrap().gid(), 7003, "painters");
    assert_eq!(fs::metadata(&song).unwrap().gid(), 7001, "no such group");
    session.log_out();
}

#[test]
fn a_copy_of_a_stick_is_never_taken_for_it() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let stick = Stick::new(&computer, "STICK", vacant);
    let letter = computer.home().join("letter");
    let session = computer.log_in(ANN);
    fs::write(&letter, "dear").unwrap();
    session.log_out();
    stick.wait_until_free();
    let image = computer.file("twin.img");
    fs::copy(&stick.image, &image).unwrap();
    let copied = fs::read(&image).unwrap();

    let session = computer.log_in(ANN);
    let twin = stick.twin(&image);
    let second = computer.log_in(ANN);
    assert!(!second.said().contains("cop"), "{}", second.said());
    fs::write(&letter, "dearest").unwrap();
    session.log_out();
    second.log_out();
    stick.wait_until_free();

    let used = fs::read(&stick.image).unwrap();
    let session = computer.log_in(ANN);
    let said = session.said();
    assert!(said.contains("hold copies of the same home"), "{said}");
    for node in [&stick.node, &twin.node] {
        let name = format!("STICK ({})", node.display());
        assert!(said.contains(&name), "{said}");
    }
    assert!(!computer.has_home());
    session.log_out();
    assert!(used == fs::read(&stick.image).unwrap(), "it was written to");
    assert!(
        copied == fs::read(&image).unwrap(),
        "the copy was written to"
    );

    drop(twin);
    let session = computer.log_in(ANN);
    assert_eq!(fs::read(&letter).unwrap(), b"dearest", "{}", session.said());
    session.log_out();
}
