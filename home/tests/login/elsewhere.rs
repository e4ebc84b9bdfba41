//! Sticks that were elsewhere meanwhile, where groups have other numbers.

use crate::computer::{ANN, Computer, Stick, UID};
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
