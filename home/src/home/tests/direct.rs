//! What the kernel does with lower files by itself, and we hear of later.

use super::*;
use crate::medium::MediumFile as _;

/// A home with a file called `name`, open for the kernel to write and map.
fn home_with_open(name: &str) -> (Fake, Home<Fake>, Ino) {
    let (fake, home) = new_home(u64::MAX);
    let ino = open_for_kernel(&home, name);
    (fake, home, ino)
}

fn open_for_kernel(home: &Home<Fake>, name: &str) -> Ino {
    let new = node(Kind::File);
    let ino = home.create(Ino::ROOT, name.as_bytes(), &new).unwrap().0.ino;
    home.make_exact(ino).unwrap();
    assert!(home.let_kernel_write(ino, true));
    ino
}

/// The kernel writes a lower file.
fn kernel_writes(fake: &Fake, name: &str, bytes: &[u8]) {
    fake.open(name).unwrap().write_at(bytes, 0).unwrap();
}

#[test]
fn making_room_cuts_nothing_off() {
    let (fake, home, ino) = home_with_open("file");
    kernel_writes(&fake, "file", &[1; 9000]);
    home.allocate(ino, 4096).unwrap();
    assert_eq!(home.attributes(ino).unwrap().size, 9000);
    home.allocate(ino, 10_000).unwrap();
    home.release(ino).unwrap();
    assert_eq!(read_file(&home, ino)[..9000], [1; 9000]);
    assert_eq!(home.attributes(ino).unwrap().size, 10_000);
}

#[test]
fn a_write_that_fails_takes_nothing_of_others_along() {
    let (fake, home, ino) = home_with_open("file");
    kernel_writes(&fake, "file", &[1; 3000]);
    fake.leave_free(100);
    assert_eq!(home.write(ino, 3000, &[2; 5000]), Err(Errno::NOSPC));
    home.release(ino).unwrap();
    assert_eq!(read_file(&home, ino), [1; 3000]);
}

#[test]
fn reading_by_way_of_us_sees_it_all() {
    let (fake, home, ino) = home_with_open("file");
    kernel_writes(&fake, "file", b"text");
    assert_eq!(home.read(ino, 0, 100).unwrap(), b"text");
}

#[test]
fn a_file_that_replaces_another_is_durable_first() {
    let (fake, home) = new_home(u64::MAX);
    write_file(&home, Ino::ROOT, b"file", b"old");
    home.flush().unwrap();
    open_for_kernel(&home, "new");
    kernel_writes(&fake, "new", b"new");
    home.rename(
        (Ino::ROOT, b"new"),
        (Ino::ROOT, b"file"),
        RenameMode::Replace,
    )
    .unwrap();
    home.commit().unwrap();
    let home = open(&fake.crash(&mut || 1));
    let ino = home.lookup(Ino::ROOT, b"file").unwrap().ino;
    assert_eq!(read_file(&home, ino), b"new");
}

#[test]
fn what_is_stored_through_a_mapping_is_synced_and_seen() {
    let (fake, home, ino) = home_with_open("file");
    kernel_writes(&fake, "file", b"1234");
    home.sync_file(ino).unwrap();
    home.release(ino).unwrap();
    home.open_file(ino).unwrap();
    home.sync_file(ino).unwrap();
    home.release(ino).unwrap();
    kernel_writes(&fake, "file", b"5678");
    let opened = home.open_to_read(ino).unwrap();
    assert!(opened.is_some(), "the kernel would show what it remembers");
    home.sync_file(ino).unwrap();
    home.release(ino).unwrap();
    let home = open(&fake.crash(&mut || 1));
    let ino = home.lookup(Ino::ROOT, b"file").unwrap().ino;
    assert_eq!(read_file(&home, ino), b"5678");
}

#[test]
fn a_large_hole_is_not_written_out_for_who_only_opens_the_file() {
    let (fake, home) = new_home(u64::MAX);
    let ino = write_file(&home, Ino::ROOT, b"file", b"x");
    home.open_file(ino).unwrap();
    home.resize(ino, 1 << 30).unwrap();
    assert_eq!(home.make_exact(ino), Err(Errno::INVAL));
    assert_eq!(fake.facts("file").unwrap().size, 1);
}
