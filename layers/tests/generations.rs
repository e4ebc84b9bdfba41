//! One save after another, as a session goes through them.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::changes::{apply, change, unlock_all};
use common::{Copy, EXT4, settle};
use proptest::prelude::*;
use wendy_layers::testing::{Depth, Disk, Mounted, differences, tmpfs};
use wendy_layers::{Copied, Exclude, Index, Look, Unattended, confirm, forecast, remove_tree};

/// The generation that counts, and what the upper was when it was saved.
struct Session<'a> {
    upper: &'a Path,
    to: &'a Mounted,
    number: usize,
    current: Copy,
    index: Index,
}

impl<'a> Session<'a> {
    fn first(upper: &'a Path, to: &'a Mounted) -> Self {
        let current = Copy::new(upper, to, "0");
        let index = current.second(&current.first()).index;
        Self {
            upper,
            to,
            number: 0,
            current,
            index,
        }
    }

    /// Makes the next generation, and another if data has changed without a trace.
    fn update(&mut self) -> Copied {
        let before = self.index.clone();
        let mut updated = self.pass(true);
        let upper = self.current.upper.as_fd();
        let indexes = (&before, &mut updated.index);
        let silent = confirm(upper, &Exclude::nothing(), indexes, &Unattended).unwrap();
        self.index = updated.index.clone();
        if silent > 0 {
            self.pass(false)
        } else {
            updated
        }
    }

    /// Keeps an independent copy of the generation before if that shall be compared afterwards.
    fn pass(&mut self, careful: bool) -> Copied {
        let name = format!("reference {}", self.number);
        let reference = careful.then(|| Copy::new(&self.current.dest_path, self.to, &name));
        if let Some(reference) = &reference {
            reference.first();
        }
        self.number += 1;
        let next = Copy::new(self.upper, self.to, &self.number.to_string());
        let updated = next.update(&self.current, &self.index, &Exclude::nothing());
        if let Some(reference) = reference {
            assert_eq!(found(&reference.dest, &self.current.dest), [""; 0]);
        }
        let old = (self.number - 1).to_string();
        remove_tree(self.to.top().as_fd(), old.as_ref(), &Unattended).unwrap();
        self.current = next;
        self.index = updated.index.clone();
        updated
    }
}

fn found(a: &impl AsFd, b: &impl AsFd) -> Vec<String> {
    differences(a.as_fd(), b.as_fd(), Depth::Everything).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn each_of_many_saves_equals_the_source(
        before in proptest::collection::vec(change(), 5..60),
        rounds in proptest::collection::vec(
            (proptest::collection::vec(change(), 0..12), any::<bool>()),
            6..10,
        ),
    ) {
        let on = tmpfs().unwrap();
        let disk = Disk::format(32 << 20, "ext4", EXT4).unwrap();
        let to = disk.mount().unwrap();
        let upper = on.path("upper");
        fs::create_dir(&upper).unwrap();
        before.iter().for_each(|change| apply(&upper, change));
        let mut session = Session::first(&upper, &to);
        for (round, (changes, rests)) in rounds.iter().enumerate() {
            changes.iter().for_each(|change| apply(&upper, change));
            if *rests {
                settle();
            }
            let updated = session.update();
            let current = &session.current;
            let same = found(&current.upper, &current.dest);
            prop_assert!(same.is_empty(), "round {round}: {same:?}");
            prop_assert!(current.verify().is_intact(), "round {round}");
            prop_assert_eq!(updated.totals, current.forecast(None).total);
        }
        unlock_all(&upper);
    }
}

#[test]
fn there_and_back_again_is_saved_each_time() {
    let (on, to) = (tmpfs().unwrap(), tmpfs().unwrap());
    let upper = on.path("upper");
    let file = upper.join("deep/er/file");
    fs::create_dir_all(upper.join("deep/er")).unwrap();
    fs::write(&file, "A").unwrap();
    settle();
    let mut session = Session::first(&upper, &to);
    let original = fs::metadata(&file).unwrap().modified().unwrap();
    for content in ["B", "A", "B", "A", "A", "B"] {
        fs::write(&file, content).unwrap();
        let opened = fs::File::options().write(true).open(&file).unwrap();
        opened.set_modified(original).unwrap();
        settle();
        session.update();
        let current = &session.current;
        assert_eq!(found(&current.upper, &current.dest), [""; 0]);
        assert!(current.verify().is_intact());
        assert!(current.forecast(Some(&session.index)).is_unchanged());
    }
}

#[test]
fn what_is_left_out_anew_goes_and_what_is_no_more_left_out_comes() {
    let (on, to) = (tmpfs().unwrap(), tmpfs().unwrap());
    let upper = on.path("upper");
    for name in ["kept/one", "dropped/two", "dropped/deep/three"] {
        fs::create_dir_all(upper.join(name).parent().unwrap()).unwrap();
        fs::write(upper.join(name), name).unwrap();
    }
    settle();
    let one = Copy::new(&upper, &to, "one");
    let first = one.first();
    let without = Exclude::new(["dropped/**", "kept/one"]).unwrap();
    let upper = one.upper.as_fd();
    let look = |exclude, index: &mut Index| {
        forecast(upper, exclude, Some(index), Look::Inodes, &Unattended).unwrap()
    };
    assert_eq!(look(&without, &mut first.index.clone()).removed, 4);
    let mut less = one.again(&first.index, &without);
    assert_eq!(less.totals.files, 0);
    assert!(one.verify().is_intact() && !one.dest_path.join("kept/one").exists());
    assert_eq!(look(&Exclude::nothing(), &mut less.index).changed.files, 3);
    one.again(&less.index, &Exclude::nothing());
    assert_eq!(found(&one.upper, &one.dest), [""; 0]);
    assert!(one.verify().is_intact());
}

/// A check of the filesystem may have cleared it, and anybody can edit it on another computer.
#[test]
fn what_is_no_longer_as_it_was_saved_is_copied_and_not_shared() {
    let on = tmpfs().unwrap();
    let upper = on.path("upper");
    fs::create_dir(&upper).unwrap();
    for name in ["cut", "edited", "replaced", "linked", "sound"] {
        fs::write(upper.join(name), "content").unwrap();
    }
    fs::hard_link(upper.join("linked"), upper.join("linked too")).unwrap();
    settle();
    let one = Copy::new(&upper, &on, "one");
    let first = one.second(&one.first());
    let old = |name| one.dest_path.join(name);
    File::create(old("cut")).unwrap();
    fs::write(old("edited"), "another").unwrap();
    fs::remove_file(old("replaced")).unwrap();
    symlink("sound", old("replaced")).unwrap();
    File::create(old("linked")).unwrap();

    let two = Copy::new(&upper, &on, "two");
    let second = two.update(&one, &first.index, &Exclude::nothing());
    let found = differences(two.upper.as_fd(), two.dest.as_fd(), Depth::Everything).unwrap();
    assert_eq!(found, [""; 0]);
    assert!(two.verify().is_intact(), "{:?}", two.verify());
    assert_eq!(second.written.files, 4);
}
