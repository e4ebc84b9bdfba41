//! Files in several parts.

use super::settling::{crash_while_settling, name, rename_all};
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

#[test]
fn a_part_that_does_not_fit_takes_nothing_and_is_made_later() {
    let (fake, home) = new_home(1000);
    let ino = write_file(&home, Ino::ROOT, b"film", &[1; 500]);
    home.open_file(ino).unwrap();
    for free in [100, 510] {
        fake.leave_free(free);
        assert_eq!(home.write(ino, 1500, &[2; 20]), Err(Errno::NOSPC));
        assert_eq!(fake.read_file("film").unwrap(), [1; 500]);
    }
    fake.refuse_new_names(true);
    fake.leave_free(5000);
    assert_eq!(home.write(ino, 1500, &[2; 20]), Err(Errno::NOSPC));
    assert_eq!(fake.read_file("film").unwrap(), [1; 500]);
    fake.refuse_new_names(false);
    home.write(ino, 1500, &[2; 20]).unwrap();
    home.release(ino).unwrap();
    let (fake, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert_eq!(
        read_file(&home, ino)[1490..],
        [[0; 10], [2; 10], [2; 10]].concat()
    );
    assert_eq!(fake.read_file("film").unwrap().len(), 1000);
}

const FILES: u8 = 3;

fn content(number: u8) -> Vec<u8> {
    (0..2500u32)
        .map(|at| at.to_le_bytes()[0] ^ number)
        .collect()
}

/// Files in three parts under new names, one in the place of another; promised, and not settled.
fn renamed() -> (Fake, Home<Fake>) {
    let (fake, home) = new_home(1000);
    for number in 0..FILES {
        write_file(&home, Ino::ROOT, &name("old", number), &content(number));
    }
    write_file(&home, Ino::ROOT, &name("new", 0), &content(99));
    rename_all(&home, FILES);
    (fake, home)
}

fn check(home: &Home<Fake>, life: u64) {
    for number in 0..FILES {
        let ino = home.lookup(Ino::ROOT, &name("new", number)).unwrap().ino;
        assert!(read_file(home, ino) == content(number), "{number}, {life}");
    }
    let there = home.list(Ino::ROOT).unwrap();
    assert_eq!(there.len(), usize::from(FILES), "{life}: {there:?}");
}

#[test]
fn a_crash_while_settling_tears_no_file() {
    crash_while_settling(8, renamed, |left, life, seed| {
        let home = open(left);
        check(&home, life);
        let (_, home, found) = reopen(left, &home);
        check(&home, life);
        assert_eq!(found, Reconciled::default(), "{life}, {seed}");
    });
}

#[test]
fn a_file_of_which_a_part_cannot_move_stays_whole() {
    let (fake, home) = renamed();
    fake.write_file("new1", b"in the way");
    home.settle().unwrap();
    check(&home, 0);
    assert!(fake.read_file("old1.~003").is_some());
}

/// The part came to the medium, what was to be recorded of it did not.
#[test]
fn a_new_part_that_was_not_recorded_belongs_to_its_file() {
    let (fake, home) = new_home(1000);
    let ino = write_file(&home, Ino::ROOT, b"film", &[1; 900]);
    home.close().unwrap();
    let fake = fake.replug();
    fake.write_file("film", &[2; 1000]);
    fake.write_file("film.~002", &[2; 300]);
    let home = open(&fake);
    assert_eq!(read_file(&home, ino), [2; 1300]);
    let (_, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert_eq!(home.list(Ino::ROOT).unwrap().len(), 1);
}

#[test]
fn what_is_called_like_a_part_is_in_nobodys_way() {
    let (fake, home) = new_home(1000);
    let ino = write_file(&home, Ino::ROOT, b"film", &[1; 900]);
    home.close().unwrap();
    let fake = fake.replug();
    fake.write_file("film.~002", b"other");
    let home = open(&fake);
    home.settle().unwrap();
    home.open_file(ino).unwrap();
    home.write(ino, 900, &[1; 600]).unwrap();
    home.release(ino).unwrap();
    let (_, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert_eq!(read_file(&home, ino), [1; 1500]);
    let other = home.lookup(Ino::ROOT, b"film.~002").unwrap().ino;
    assert_eq!(read_file(&home, other), b"other");
}
