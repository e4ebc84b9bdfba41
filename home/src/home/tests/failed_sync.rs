//! A medium that cannot write for once: the kernel tells it once, and takes what it has not written for
//! written (fsync(2)).

use super::*;

fn make(home: &Home<Fake>, name: &[u8]) {
    home.make(Ino::ROOT, name, &node(Kind::Fifo)).unwrap();
}

#[test]
fn what_is_synced_after_a_failure_is_there() {
    let (fake, home) = new_home(BIG);
    make(&home, b"before");
    fake.fail_next_sync(".wendy/log.0");
    assert_eq!(home.sync_names(), Err(Errno::IO));
    make(&home, b"after");
    home.sync_names().unwrap();
    let home = open(&fake.crash(&mut || 1));
    home.lookup(Ino::ROOT, b"before").unwrap();
    home.lookup(Ino::ROOT, b"after").unwrap();
}

#[test]
fn what_a_regular_commit_could_not_write_is_there_after_the_next() {
    let (fake, home) = new_home(BIG);
    make(&home, b"before");
    fake.fail_next_sync(".wendy/log.0");
    assert_eq!(home.commit(), Err(Errno::IO));
    home.commit().unwrap();
    let home = open(&fake.crash(&mut || 1));
    home.lookup(Ino::ROOT, b"before").unwrap();
}

/// Who syncs another file makes durable what this one has given up.
#[test]
fn a_write_that_failed_for_somebody_else_is_told_to_who_wrote() {
    let (fake, home) = new_home(BIG);
    let new = node(Kind::File);
    let [cut, other] = [b"cut", b"oth"].map(|name| {
        let ino = home.create(Ino::ROOT, name, &new).unwrap().0.ino;
        home.write(ino, 0, b"text").unwrap();
        home.sync_file(ino).unwrap();
        ino
    });
    let empty = Change {
        size: Some(0),
        ..Change::default()
    };
    home.change(cut, &empty).unwrap();
    home.write(cut, 0, b"new").unwrap();
    fake.fail_next_sync("cut");
    assert_eq!(home.sync_file(other), Err(Errno::IO));
    assert_eq!(home.sync_file(cut), Err(Errno::IO));
    home.sync_file(cut).unwrap();
}

#[test]
fn what_could_not_be_written_back_is_told_to_who_asks_for_all() {
    let (fake, home) = new_home(BIG);
    for ask in [Home::flush, Home::close] {
        let ino = write_file(&home, Ino::ROOT, b"file", b"text");
        fake.fail_next_sync("file");
        assert_eq!(home.write_back(), Err(Errno::IO));
        assert_eq!(ask(&home), Err(Errno::IO));
        ask(&home).unwrap();
        assert_eq!(read_file(&home, ino), b"text");
        home.unlink(Ino::ROOT, b"file").unwrap();
        home.settle().unwrap();
    }
}

/// Replaces `file` by what is in a directory that has only just been made.
#[test]
fn what_replaces_a_file_is_found_before_that_is_gone() {
    let (fake, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"file", b"old");
    home.flush().unwrap();
    let dir = home
        .make(Ino::ROOT, b"dir", &node(Kind::Directory))
        .unwrap();
    write_file(&home, dir.ino, b"new", b"new");
    let to = (Ino::ROOT, &b"file"[..]);
    home.rename((dir.ino, b"new"), to, RenameMode::Replace)
        .unwrap();
    home.commit().unwrap();
    let home = open(&fake.crash(&mut || 1));
    let found = home.lookup(Ino::ROOT, b"file").unwrap();
    assert_eq!(read_file(&home, found.ino), b"new");
}

#[test]
fn names_that_could_not_be_written_are_never_promised() {
    let (fake, home) = new_home(BIG);
    let [one, other] = [b"one", b"two"].map(|name| {
        let file = home.create(Ino::ROOT, name, &node(Kind::File));
        file.unwrap().0.ino
    });
    fake.lose_names();
    assert_eq!(home.sync_file(one), Err(Errno::IO));
    assert_eq!(home.sync_file(other), Err(Errno::IO));
}

#[test]
fn what_was_moved_by_names_that_could_not_be_written_is_never_recorded() {
    let (fake, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"old", b"text");
    home.flush().unwrap();
    let to = (Ino::ROOT, &b"new"[..]);
    home.rename((Ino::ROOT, b"old"), to, RenameMode::Replace)
        .unwrap();
    home.commit().unwrap();
    fake.lose_names();
    let mut removable = home.removable();
    assert_eq!(home.settle_batch(&mut removable), Err(Errno::IO));
    assert_eq!(home.commit(), Err(Errno::IO));
    let moved = home.with_table(|table| table.misplaced().count());
    assert_eq!(moved, 0, "nothing was moved");
}

/// The process that was told is gone, and with it what it knew; what it wrote is still in the memory of the
/// kernel.
#[test]
fn who_comes_after_a_failure_relies_on_nothing_it_reads_back() {
    let (fake, home) = new_home(BIG);
    make(&home, b"before");
    fake.fail_next_sync(".wendy/log.0");
    assert_eq!(home.commit(), Err(Errno::IO));
    drop(home);
    let home = open(&fake);
    make(&home, b"after");
    home.sync_names().unwrap();
    let home = open(&fake.crash(&mut || 1));
    home.lookup(Ino::ROOT, b"before").unwrap();
    home.lookup(Ino::ROOT, b"after").unwrap();
}
