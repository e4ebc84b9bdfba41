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
