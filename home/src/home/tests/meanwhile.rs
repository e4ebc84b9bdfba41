//! The lock of the state is not held while a write goes to the medium, or zeros do: others act meanwhile.

use super::*;
use std::sync::Arc;

/// Makes a file, changes and syncs it while, `before` or `after` the bytes have arrived, another does
/// something with it; then the power fails.
fn changed_beside(
    (make, change): (impl FnOnce(&Home<Fake>, Ino), impl FnOnce(&Home<Fake>, Ino)),
    before: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
    after: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
) -> Vec<u8> {
    let (fake, home) = new_home(BIG);
    let home = Arc::new(home);
    let new = node(Kind::File);
    let ino = home.create(Ino::ROOT, b"file", &new).unwrap().0.ino;
    make(&home, ino);
    let (one, other) = (Arc::clone(&home), Arc::clone(&home));
    fake.during_next_write(move || before(&one, ino), move || after(&other, ino));
    change(&home, ino);
    home.sync_file(ino).unwrap();
    let home = open(&fake.crash(&mut || 1));
    let ino = home.lookup(Ino::ROOT, b"file").unwrap().ino;
    read_file(&home, ino)
}

fn write(home: &Home<Fake>, ino: Ino) {
    write_at(home, ino, 0);
}

fn write_at(home: &Home<Fake>, ino: Ino, offset: u64) {
    home.write(ino, offset, b"text").unwrap();
}

fn written_beside(
    before: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
    after: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
) -> Vec<u8> {
    changed_beside((|_: &Home<Fake>, _| {}, write), before, after)
}

#[test]
fn what_is_synced_has_its_length_whoever_commits_meanwhile() {
    let commit = |home: &Home<Fake>, _| home.commit().unwrap();
    assert_eq!(written_beside(|_, _| {}, commit), b"text");
    assert_eq!(written_beside(commit, |_, _| {}), b"text");
}

#[test]
fn what_is_synced_is_on_the_medium_whoever_synced_meanwhile() {
    let sync = |home: &Home<Fake>, ino| home.sync_file(ino).unwrap();
    assert_eq!(written_beside(sync, |_, _| {}), b"text");
    assert_eq!(written_beside(|_, _| {}, sync), b"text");
}

#[test]
fn others_go_on_while_a_part_is_filled() {
    let (fake, home) = new_home(1000);
    let home = Arc::new(home);
    let ino = home.create(Ino::ROOT, b"film", &node(Kind::File));
    let ino = ino.unwrap().0.ino;
    let other = Arc::clone(&home);
    fake.during_next_write(move || other.commit().unwrap(), || {});
    write_at(&home, ino, 1500);
    home.sync_file(ino).unwrap();
    let home = open(&fake.crash(&mut || 1));
    assert_eq!(read_file(&home, ino)[1500..], *b"text");
}

/// The same for a file of four bytes that `grow` makes longer.
fn grown_beside(
    grow: impl FnOnce(&Home<Fake>, Ino),
    before: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
    after: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
) -> Vec<u8> {
    let make = |home: &Home<Fake>, ino| {
        write(home, ino);
        home.make_exact(ino).unwrap();
    };
    changed_beside((make, grow), before, after)
}

#[test]
fn others_go_on_while_a_file_is_filled_with_zeros() {
    let allocate = |home: &Home<Fake>, ino| home.allocate(ino, 8).unwrap();
    let lengthen = |home: &Home<Fake>, ino| {
        let size = Some(8);
        let change = Change {
            size,
            ..Change::default()
        };
        home.change(ino, &change).unwrap();
    };
    let commit = |home: &Home<Fake>, _| home.commit().unwrap();
    for grow in [allocate as fn(&Home<Fake>, Ino), lengthen] {
        assert_eq!(grown_beside(grow, commit, |_, _| {}), b"text\0\0\0\0");
        assert_eq!(grown_beside(grow, |_, _| {}, commit), b"text\0\0\0\0");
    }
}
