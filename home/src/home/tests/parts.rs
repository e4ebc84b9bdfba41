//! Files in several parts.

use super::*;
use crate::medium::directory::DirectoryMedium;
use crate::parts::PART_SIZE;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// On a medium that takes longer files.
#[test]
fn a_file_in_parts_that_was_copied_from_fat_stays_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let medium = || DirectoryMedium::open(dir.path()).unwrap();
    let part = |name: &str, length, tail: &[u8]| {
        let file = File::create_new(dir.path().join(name)).unwrap();
        file.set_len(length).unwrap();
        file.write_at(tail, length).unwrap();
    };
    assert_eq!(medium().limits().part_size, u64::MAX);
    create(&medium(), [7; 16]).unwrap();
    part("film", PART_SIZE - 4, b"head");
    part("film.~002", 0, b"tail");
    let (home, found) = Home::open(medium(), options()).unwrap();
    assert_eq!(found.adopted, 1);
    let ino = home.lookup(Ino::ROOT, b"film").unwrap().ino;
    assert_eq!(home.attributes(ino).unwrap().size, PART_SIZE + 4);
    home.open_file(ino).unwrap();
    assert_eq!(home.read(ino, PART_SIZE - 4, 9).unwrap(), b"headtail");
    home.write(ino, PART_SIZE + 4, b" and more").unwrap();
    home.write(ino, PART_SIZE - 1, b"D-T").unwrap();
    home.release(ino).unwrap();
    home.close().unwrap();
    let (home, found) = Home::open(medium(), options()).unwrap();
    assert_eq!(found, Reconciled::default());
    home.open_file(ino).unwrap();
    let end = home.read(ino, PART_SIZE - 4, 99).unwrap();
    assert_eq!(end, b"heaD-Til and more");
    home.release(ino).unwrap();
    home.resize(ino, 100).unwrap();
    assert!(!dir.path().join("film.~002").exists());
}
