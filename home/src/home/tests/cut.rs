//! Files made shorter: durable before anything else is promised, and flushed no more than that needs.

use super::*;
use crate::home::cut::Cut;
use std::sync::Arc;

/// Changes that syncing a file costs the medium, after `change` and a write.
fn cost_of_a_sync_after(change: impl FnOnce(&Home<Fake>, Ino)) -> u64 {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"file", b"long");
    home.flush().unwrap();
    home.open_file(ino).unwrap();
    change(&home, ino);
    home.write(ino, 0, b"new").unwrap();
    let before = fake.operations();
    home.sync_file(ino).unwrap();
    fake.operations() - before
}

#[test]
fn a_file_written_anew_is_synced_once() {
    let in_place = cost_of_a_sync_after(|_, _| {});
    assert_eq!(
        cost_of_a_sync_after(|home, ino| home.resize(ino, 0).unwrap()),
        in_place
    );
}

#[test]
fn a_sync_covers_only_cuts_before_it() {
    let (fake, _) = new_home(BIG);
    let file = |name| Arc::new(SplitFile::new(vec![fake.create(name).unwrap()], BIG));
    let (one, other) = (file("one"), file("other"));
    let mut cut = Cut::default();
    cut.add(&one);
    cut.add(&other);
    let begun = cut.count();
    cut.add(&other);
    cut.synced(&one, begun);
    cut.synced(&other, begun);
    assert!(!cut.is_empty(), "it was cut off once more");
    cut.synced(&other, cut.count());
    assert!(cut.is_empty());
}
