//! Power failures in the middle of settling.

use super::*;

const FILES: u8 = 12;

pub(super) fn name(stem: &str, number: u8) -> Vec<u8> {
    format!("{stem}{number}").into_bytes()
}

/// Files under new names, every third in the place of another; all of it promised, none settled.
fn renamed() -> (Fake, Home<Fake>) {
    let (fake, home) = new_home(BIG);
    for number in 0..FILES {
        write_file(&home, Ino::ROOT, &name("old", number), &[number]);
        if number.is_multiple_of(3) {
            write_file(&home, Ino::ROOT, &name("new", number), b"replaced");
        }
    }
    rename_all(&home, FILES);
    (fake, home)
}

/// Settles what there is and renames it; that is promised, and not settled.
pub(super) fn rename_all(home: &Home<Fake>, files: u8) {
    home.settle().unwrap();
    home.flush().unwrap();
    for number in 0..files {
        let (from, to) = (name("old", number), name("new", number));
        let renamed = home.rename((Ino::ROOT, &from), (Ino::ROOT, &to), RenameMode::Replace);
        renamed.unwrap();
    }
    home.sync_names().unwrap();
}

/// Looks at what a crash leaves at each step of settling: as little on the medium as there can be of
/// what was not synced, or any part of it. `check` hears of the step, and of the seed of that part.
pub(super) fn crash_while_settling(
    seeds: u64,
    unsettled: impl Fn() -> (Fake, Home<Fake>),
    check: impl Fn(&Fake, u64, u64),
) {
    for life in 0.. {
        let mut settled = false;
        for seed in 0..seeds {
            let (fake, home) = unsettled();
            fake.fail_after(life);
            settled = home.settle().is_ok();
            let mut random: u64 = seed;
            let left = fake.crash(&mut || {
                random = random * 1_664_525 % 4_294_967_291 + seed;
                u32::try_from(random >> 9).unwrap() | u32::from(seed == 0)
            });
            check(&left, life, seed);
        }
        if settled {
            return;
        }
    }
}

#[test]
fn a_crash_while_settling_loses_no_file_and_brings_none_back() {
    crash_while_settling(6, renamed, |left, life, _| check(&open(left), life));
}

fn check(home: &Home<Fake>, life: u64) {
    for number in 0..FILES {
        let found = home.lookup(Ino::ROOT, &name("new", number));
        let found = found.unwrap_or_else(|error| panic!("{number}, {life}: {error}"));
        assert_eq!(read_file(home, found.ino), [number], "{life}");
    }
    let there = home.list(Ino::ROOT).unwrap();
    assert_eq!(there.len(), usize::from(FILES), "{life}: {there:?}");
}

/// Until it is durable that a file was replaced it is there.
#[test]
fn what_is_removed_by_no_durable_record_stays_on_the_medium() {
    let (fake, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"old", b"old");
    write_file(&home, Ino::ROOT, b"gone", b"gone");
    home.flush().unwrap();
    home.unlink(Ino::ROOT, b"gone").unwrap();
    let mut removable = home.removable();
    home.unlink(Ino::ROOT, b"old").unwrap();
    home.settle_batch(&mut removable).unwrap();
    assert_eq!(fake.read_file("old").unwrap(), b"old");
    assert_eq!(fake.read_file("gone"), None);
    home.settle().unwrap();
    assert_eq!(fake.read_file("old"), None);
}
