//! What stops a copy leaves the older generation as it was, is told by its name, and can be
//! repeated.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use std::fs;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Copy, EXT4, settle};
use wendy_layers::testing::{Depth, Disk, differences, nasty_upper, tmpfs};
use wendy_layers::{Error, Previous, Progress, Unattended, remove_tree};

/// Cancels after a number of questions.
struct Patience(AtomicU64);

impl Progress for Patience {
    fn advance(&self, _bytes: u64, _entries: u64) {}

    fn cancelled(&self) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_err()
    }
}

#[test]
fn cancelled_anywhere_the_older_generation_is_untouched() {
    let source = tmpfs().unwrap();
    let upper = nasty_upper(&source).unwrap();
    settle();
    let disk = Disk::format(1 << 30, "ext4", EXT4).unwrap();
    let to = disk.mount().unwrap();
    let (one, reference) = (
        Copy::new(&upper, &to, "one"),
        Copy::new(&upper, &to, "reference"),
    );
    let first = one.second(&one.first());
    reference.first();
    fs::write(upper.join("contents/4096 bytes"), "changed").unwrap();
    fs::remove_dir_all(upper.join("names")).unwrap();
    let mut cancelled = 0;
    for patience in (0..14).map(|n| n * n * 40) {
        let two = Copy::new(&upper, &to, "two");
        let previous = Previous {
            tree: one.dest.as_fd(),
            index: &first.index,
        };
        match two.try_first(Some(previous), &Patience(AtomicU64::new(patience))) {
            Err(Error::Cancelled) => cancelled += 1,
            Ok(_) => {}
            Err(other) => panic!("{other}"),
        }
        remove_tree(to.top().as_fd(), "two".as_ref(), &Unattended).unwrap();
    }
    assert!(cancelled > 5, "{cancelled}");
    let found = differences(reference.dest.as_fd(), one.dest.as_fd(), Depth::Everything).unwrap();
    assert_eq!(found, [""; 0]);
    assert!(one.verify().is_intact());
    let two = Copy::new(&upper, &to, "two");
    two.after(&one, &first.index);
    let found = differences(upper_of(&two), two.dest.as_fd(), Depth::Everything).unwrap();
    assert_eq!(found, [""; 0]);
}

fn upper_of(copy: &Copy) -> rustix::fd::BorrowedFd<'_> {
    copy.upper.as_fd()
}

#[test]
fn a_full_destination_is_named_whatever_its_size() {
    let source = tmpfs().unwrap();
    let upper = source.path("upper");
    fs::create_dir(&upper).unwrap();
    for n in 0..200 {
        fs::write(upper.join(format!("small{n}")), vec![3; 20_000]).unwrap();
    }
    for n in 0..6 {
        fs::write(upper.join(format!("large{n}")), vec![5; 5_000_000]).unwrap();
    }
    for size in [4, 6, 9, 14, 20, 30] {
        let disk = Disk::format(size << 20, "ext4", &["-N", "400"]).unwrap();
        let to = disk.mount().unwrap();
        let older = to.path("older");
        fs::write(&older, "the last good save").unwrap();
        let error = Copy::new(&upper, &to, "new")
            .try_first(None, &Unattended)
            .unwrap_err();
        let Error::NoSpace { path } = &error else {
            panic!("{size} MB: {error}")
        };
        assert!(
            path.to_string().contains("small") || path.to_string().contains("large"),
            "{path}"
        );
        assert_eq!(fs::read(&older).unwrap(), b"the last good save");
    }
}

#[test]
fn a_destination_without_inodes_is_named_full() {
    let source = tmpfs().unwrap();
    let upper = source.path("upper");
    fs::create_dir(&upper).unwrap();
    for n in 0..300 {
        fs::write(upper.join(n.to_string()), "").unwrap();
    }
    let disk = Disk::format(32 << 20, "ext4", &["-N", "128"]).unwrap();
    let to = disk.mount().unwrap();
    let error = Copy::new(&upper, &to, "new")
        .try_first(None, &Unattended)
        .unwrap_err();
    assert!(matches!(error, Error::NoSpace { .. }), "{error}");
}

#[test]
fn an_attribute_that_does_not_fit_is_named() {
    let source = tmpfs().unwrap();
    let upper = nasty_upper(&source).unwrap();
    let disk = Disk::format(1 << 30, "ext4", &[]).unwrap();
    let to = disk.mount().unwrap();
    let error = Copy::new(&upper, &to, "new")
        .try_first(None, &Unattended)
        .unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, Error::Attribute { size: 4090, .. }),
        "{text}"
    );
    assert!(
        text.contains("user.number") && text.contains("attributes/many"),
        "{text}"
    );
}

#[test]
fn the_forecast_holds() {
    let source = tmpfs().unwrap();
    let upper = source.path("upper");
    fs::create_dir(&upper).unwrap();
    for n in 0..3000 {
        let dir = upper.join(format!("dir{}", n % 100));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("file{n}")), vec![1; n * 7]).unwrap();
    }
    let disk = Disk::format(512 << 20, "ext4", &[]).unwrap();
    let to = disk.mount().unwrap();
    let copy = Copy::new(&upper, &to, "copy");
    let forecast = copy.forecast(None);
    let before = rustix::fs::fstatvfs(to.top()).unwrap();
    copy.first();
    rustix::fs::syncfs(to.top()).unwrap();
    let after = rustix::fs::fstatvfs(to.top()).unwrap();
    let used = (before.f_bfree - after.f_bfree) * before.f_frsize;
    assert!(
        used <= forecast.space && forecast.space < used + used / 10,
        "{used} {forecast:?}"
    );
    assert!(before.f_ffree - after.f_ffree <= forecast.inodes);
}
