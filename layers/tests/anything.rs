//! After any sequence of changes, an update and a second pass equal the source.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use std::fs;
use std::os::fd::AsFd;

use common::Copy;
use common::changes::{apply, change, unlock_all, visible_change};
use proptest::prelude::*;
use wendy_layers::testing::{Depth, differences, tmpfs};
use wendy_layers::{Unattended, remove_tree};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn passes_equal_the_source(
        before in proptest::collection::vec(change(), 5..60),
        between in proptest::collection::vec(visible_change(), 0..20),
        after in proptest::collection::vec(visible_change(), 0..20),
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
        unlock_all(&upper);
    }
}
