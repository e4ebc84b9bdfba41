//! The lock of the state is not held while a write goes to the medium, or zeros do: others act meanwhile.

use super::*;
use std::sync::Arc;

/// Writes and syncs a file while `before` or `after` the bytes have arrived, another does something
/// with it; then the power fails.
fn written_beside(
    before: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
    after: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
) -> Vec<u8> {
    let (fake, home) = new_home(BIG);
    let home = Arc::new(home);
    let new = node(Kind::File);
    let ino = home.create(Ino::ROOT, b"file", &new).unwrap().0.ino;
    let (one, other) = (Arc::clone(&home), Arc::clone(&home));
    fake.during_next_write(move || before(&one, ino), move || after(&other, ino));
    home.write(ino, 0, b"text").unwrap();
    home.sync_file(ino).unwrap();
    let home = open(&fake.crash(&mut || 1));
    let ino = home.lookup(Ino::ROOT, b"file").unwrap().ino;
    read_file(&home, ino)
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

/// Makes a file of four bytes longer while `before` or `after` others do something; then the power
/// fails after a sync.
fn grown_beside(
    grow: impl FnOnce(&Home<Fake>, Ino),
    before: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
    after: impl FnOnce(&Home<Fake>, Ino) + Send + 'static,
) -> Vec<u8> {
    let (fake, home) = new_home(BIG);
    let home = Arc::new(home);
    let new = node(Kind::File);
    let ino = home.create(Ino::ROOT, b"file", &new).unwrap().0.ino;
    home.write(ino, 0, b"text").unwrap();
    home.make_exact(ino).unwrap();
    let (one, other) = (Arc::clone(&home), Arc::clone(&home));
    fake.during_next_write(move || before(&one, ino), move || after(&other, ino));
    grow(&home, ino);
    home.sync_file(ino).unwrap();
    let home = open(&fake.crash(&mut || 1));
    let ino = home.lookup(Ino::ROOT, b"file").unwrap().ino;
    read_file(&home, ino)
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
