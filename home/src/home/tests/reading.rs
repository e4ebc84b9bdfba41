//! What is read of directories and attributes while others change them.

use super::*;
use crate::record::Kind;

/// Reads at most `room` lines behind `after`.
fn read(home: &Home<Fake>, after: u64, room: usize) -> Vec<(Vec<u8>, u64)> {
    let mut lines = Vec::new();
    let take = |line: &Line<'_>| {
        let fits = lines.len() < room;
        lines.extend(fits.then(|| (line.name.to_vec(), line.cookie)));
        fits
    };
    home.read_dir(Ino::ROOT, after, false, take).unwrap();
    lines
}

#[test]
fn a_name_that_stays_is_read_once_while_others_come_and_go() {
    let (_, home) = new_home(BIG);
    let name = |n: u32| format!("file{n}").into_bytes();
    for n in 0..40 {
        home.make(Ino::ROOT, &name(n), &node(Kind::File)).unwrap();
    }
    let (mut at, mut names) = (0, Vec::new());
    for round in 0.. {
        let lines = read(&home, at, 3);
        let Some((_, last)) = lines.last() else { break };
        at = *last;
        names.extend(lines.into_iter().map(|(name, _)| name));
        // Odd ones go, some after they were read and some before; the even ones stay.
        if round < 20 {
            home.unlink(Ino::ROOT, &name(2 * round + 1)).unwrap();
            let new = name(100 + round);
            home.make(Ino::ROOT, &new, &node(Kind::File)).unwrap();
            home.unlink(Ino::ROOT, &new).unwrap();
        }
    }
    assert_eq!(names[..2], [b".".to_vec(), b"..".to_vec()]);
    for n in (0..40).step_by(2) {
        let times = names.iter().filter(|read| **read == name(n)).count();
        assert_eq!(times, 1, "file{n}");
    }
    let mut once = names.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), names.len(), "{names:?}");
}

#[test]
fn what_is_held_while_reading_stays_after_its_name() {
    let (_, home) = new_home(BIG);
    let made = home.make(Ino::ROOT, b"file", &node(Kind::File)).unwrap();
    home.read_dir(Ino::ROOT, 0, true, |_| true).unwrap();
    home.unlink(Ino::ROOT, b"file").unwrap();
    assert_eq!(home.attributes(made.ino).unwrap().links, 0);
    home.forget(made.ino, 1);
    home.commit().unwrap();
    assert_eq!(home.attributes(made.ino), Err(Errno::NOENT));
}

#[test]
fn a_write_without_privilege_takes_set_id_bits_and_capabilities() {
    let (_, home) = new_home(BIG);
    let ino = home
        .make(Ino::ROOT, b"program", &node(Kind::File))
        .unwrap()
        .ino;
    let mode = |mode| Change {
        mode: Some(mode),
        ..Change::default()
    };
    let (capability, any) = (b"security.capability", SetXattr::Any);
    for (before, after) in [
        (0o6755, 0o755),
        (0o4644, 0o644),
        (0o2745, 0o2745),
        (0o755, 0o755),
    ] {
        home.change(ino, &mode(before)).unwrap();
        home.set_xattr(ino, capability, b"all", any).unwrap();
        home.drop_privileges(ino).unwrap();
        assert_eq!(home.attributes(ino).unwrap().mode, after, "{before:o}");
        assert_eq!(home.xattr(ino, capability), Err(Errno::NODATA));
    }
    home.change(ino, &mode(0o6755)).unwrap();
    let given = Change {
        uid: Some(7),
        ..Change::default()
    };
    assert_eq!(home.change(ino, &given).unwrap().mode, 0o755);
    let both = Change {
        uid: Some(8),
        ..mode(0o4755)
    };
    assert_eq!(home.change(ino, &both).unwrap().mode, 0o4755);
}

#[test]
fn labels_of_selinux_are_refused_as_on_any_fuse_mount() {
    let (_, home) = new_home(BIG);
    let label = b"security.selinux";
    let set = home.set_xattr(Ino::ROOT, label, b"user_home_t", SetXattr::Any);
    assert_eq!(set, Err(Errno::OPNOTSUPP));
    assert_eq!(home.xattr(Ino::ROOT, label), Err(Errno::OPNOTSUPP));
}

#[test]
fn names_that_appeared_while_the_medium_was_away_are_told() {
    let (fake, home) = new_home(BIG);
    home.make(Ino::ROOT, b"old", &node(Kind::File)).unwrap();
    home.flush().unwrap();
    fake.create("new").unwrap();
    let stale = home.resume(|_| {}).unwrap();
    assert_eq!(stale.names, [(Ino::ROOT, b"new".to_vec())]);
}

#[test]
fn garbage_alone_is_garbage() {
    let (_, home) = new_home(BIG);
    for name in [b"a", b"b"] {
        home.make(Ino::ROOT, name, &node(Kind::File)).unwrap();
    }
    home.rename((Ino::ROOT, b"a"), (Ino::ROOT, b"c"), RenameMode::Replace)
        .unwrap();
    home.unlink(Ino::ROOT, b"b").unwrap();
    let counts = || home.with_table(|table| (table.unsettled_count(), table.garbage().count()));
    assert_eq!(counts(), (2, 1));
    home.settle().unwrap();
    assert_eq!(counts(), (0, 0));
}
