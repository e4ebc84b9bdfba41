//! The lock of the state is not held while a write goes to the medium: others act meanwhile.

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
