//! After any sequence of changes, an update and a second pass equal the source.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use common::Copy;
use proptest::prelude::*;
use wendy_layers::testing::{Depth, differences, tmpfs};
use wendy_layers::{Unattended, remove_tree};

/// A change to one of a few paths, so that changes meet each other.
#[derive(Debug, Clone)]
enum Change {
    Write(u8, u16),
    Remove(u8),
    MakeDir(u8),
    Rename(u8, u8),
    Link(u8, u8),
    Symlink(u8),
    Mode(u8, u16),
}

fn change() -> impl Strategy<Value = Change> {
    let path = || 0..14u8;
    prop_oneof![
        (path(), any::<u16>()).prop_map(|(path, size)| Change::Write(path, size)),
        path().prop_map(Change::Remove),
        path().prop_map(Change::MakeDir),
        (path(), path()).prop_map(|(from, to)| Change::Rename(from, to)),
        (path(), path()).prop_map(|(from, to)| Change::Link(from, to)),
        path().prop_map(Change::Symlink),
        (path(), 0..0o7777u16).prop_map(|(path, mode)| Change::Mode(path, mode)),
    ]
}

/// Fourteen paths on three levels.
fn path(top: &Path, n: u8) -> std::path::PathBuf {
    match n {
        0 | 1 => top.join(n.to_string()),
        2..=5 => top.join((n % 2).to_string()).join((n / 2).to_string()),
        _ => top
            .join((n % 2).to_string())
            .join((2 - n % 3 / 2).to_string())
            .join(n.to_string()),
    }
}

/// Many changes are impossible at the moment they come; that is as good as none.
fn apply(top: &Path, change: &Change) {
    let at = |n: &u8| path(top, *n);
    let _ = match change {
        Change::Write(n, size) => fs::write(at(n), vec![b'w'; usize::from(*size)]),
        Change::Remove(n) => fs::remove_dir_all(at(n)).or_else(|_| fs::remove_file(at(n))),
        Change::MakeDir(n) => fs::create_dir(at(n)),
        Change::Rename(from, to) => fs::rename(at(from), at(to)),
        Change::Link(from, to) => fs::hard_link(at(from), at(to)),
        Change::Symlink(n) => symlink("anywhere", at(n)),
        Change::Mode(n, mode) => {
            fs::set_permissions(at(n), fs::Permissions::from_mode(u32::from(*mode)))
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn passes_equal_the_source(
        before in proptest::collection::vec(change(), 5..60),
        between in proptest::collection::vec(change(), 0..20),
        after in proptest::collection::vec(change(), 0..20),
    ) {
        let on = tmpfs().unwrap();
        let upper = on.path("upper");
        fs::create_dir(&upper).unwrap();
        before.iter().for_each(|change| apply(&upper, change));
        let one = Copy::new(&upper, &on, "one");
        let first = one.first();
        let reference = Copy::new(&upper, &on, "reference");
        reference.first();
        between.iter().for_each(|change| apply(&upper, change));
        let two = Copy::new(&upper, &on, "two");
        let second = two.after(&one, &first.index);
        after.iter().for_each(|change| apply(&upper, change));
        let third = two.second(&second);
        let found = differences(two.upper.as_fd(), two.dest.as_fd(), Depth::Everything).unwrap();
        prop_assert!(found.is_empty(), "{found:?}");
        prop_assert!(two.verify().is_intact());
        prop_assert_eq!(third.totals, two.forecast(None).total);
        let found = differences(reference.dest.as_fd(), one.dest.as_fd(), Depth::Everything).unwrap();
        prop_assert!(found.is_empty(), "the older generation: {found:?}");
        remove_tree(on.top().as_fd(), "two".as_ref(), &Unattended).unwrap();
    }
}
