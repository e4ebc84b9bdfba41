//! New generations and second passes: equal to a fresh copy, and the older generation untouched.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use common::changes::{Mapping, write_silently};
use common::{Copy, EXT4, settle};
use wendy_layers::testing::{Depth, Disk, Mounted, differences, nasty_upper, tmpfs};
use wendy_layers::{Exclude, Look, Progress, Unattended, confirm, forecast, remove_tree};

fn assert_equal(copy: &Copy) {
    let found = differences(copy.upper.as_fd(), copy.dest.as_fd(), Depth::Everything).unwrap();
    assert_eq!(found, [""; 0]);
}

struct Bench {
    source: Mounted,
    to: Mounted,
    _disk: Disk,
}

impl Bench {
    fn new() -> Self {
        let source = tmpfs().unwrap();
        nasty_upper(&source).unwrap();
        settle();
        let disk = Disk::format(1 << 30, "ext4", EXT4).unwrap();
        Self {
            source,
            to: disk.mount().unwrap(),
            _disk: disk,
        }
    }

    fn copy(&self, name: &str) -> Copy {
        Copy::new(&self.source.path("upper"), &self.to, name)
    }
}

fn work_on(upper: &Path) {
    fs::write(upper.join("contents/4096 bytes"), "rewritten").unwrap();
    fs::rename(
        upper.join("contents/1 bytes"),
        upper.join("contents/renamed"),
    )
    .unwrap();
    fs::remove_dir_all(upper.join("merged")).unwrap();
    fs::remove_file(upper.join("links/original")).unwrap();
    fs::write(upper.join("links/original"), "one name now").unwrap();
    fs::remove_file(upper.join("special/dangling again")).unwrap();
    fs::create_dir(upper.join("special/dangling again")).unwrap();
    fs::remove_dir_all(upper.join("moved away")).unwrap();
    fs::write(upper.join("moved away"), "a directory once").unwrap();
    fs::create_dir_all(upper.join("quite/new")).unwrap();
    fs::hard_link(upper.join("copied-up"), upper.join("quite/new/link")).unwrap();
    std::os::unix::fs::chown(upper.join("attributes/unreadable"), Some(5), Some(5)).unwrap();
    fs::write(upper.join("attributes/inherits/newer"), "inherits a list").unwrap();
}

#[test]
fn a_new_generation_equals_a_fresh_copy_and_leaves_the_old_one_alone() {
    let bench = Bench::new();
    let one = bench.copy("one");
    let first = one.second(&one.first());
    let reference = bench.copy("reference");
    reference.first();
    work_on(&bench.source.path("upper"));
    settle();

    let forecast = one.forecast(Some(&first.index));
    assert!(forecast.changed.files > 0 && forecast.changed.bytes < forecast.total.bytes / 2);
    let two = bench.copy("two");
    let second = two.second(&two.after(&one, &first.index));
    assert_equal(&two);
    assert!(two.verify().is_intact(), "{:?}", two.verify());
    let old = differences(reference.dest.as_fd(), one.dest.as_fd(), Depth::Everything).unwrap();
    assert_eq!(old, [""; 0]);
    assert!(one.verify().is_intact(), "{:?}", one.verify());
    assert_eq!(second.totals, two.forecast(None).total);
    assert_eq!(
        forecast.removed,
        first.index.len() as u64 + new_entries() - second.totals.entries
    );
}

/// How many names `work_on` adds.
fn new_entries() -> u64 {
    [
        "contents/renamed",
        "quite",
        "quite/new",
        "quite/new/link",
        "attributes/inherits/newer",
    ]
    .len() as u64
}

#[test]
fn data_that_changed_without_a_trace_in_the_inode_is_copied_again() {
    let bench = Bench::new();
    let path = bench.source.path("upper").join("attributes/unreadable");
    let before = fs::metadata(&path).unwrap();
    let one = bench.copy("one");
    let mut index = one.second(&one.first()).index;
    write_silently(&path).unwrap();
    let after = fs::metadata(&path).unwrap();
    let stamps = |of: &fs::Metadata| (of.mtime_nsec(), of.ctime_nsec(), of.ino());
    assert_eq!(stamps(&before), stamps(&after), "tmpfs tells of it now");

    let (upper, nothing) = (one.upper.as_fd(), Exclude::nothing());
    let two = bench.copy("two");
    let mut second = two.update(&one, &index, &nothing).index;
    let found = forecast(upper, &nothing, Some(&mut index), Look::Inodes, &Unattended).unwrap();
    assert!(found.is_unchanged());
    let silent = confirm(upper, &nothing, (&index, &mut second), &Unattended).unwrap();
    assert_eq!(silent, 1);
    let three = bench.copy("three");
    three.update(&two, &second, &nothing);
    assert_equal(&three);
    assert!(three.verify().is_intact() && two.verify().is_intact());
    let found = forecast(upper, &nothing, Some(&mut index), Look::Data, &Unattended).unwrap();
    assert_eq!((found.changed.entries, found.removed), (1, 0));
    let two = bench.copy("two again");
    two.second(&two.after(&one, &index));
    assert_equal(&two);
    assert!(two.verify().is_intact() && one.verify().is_intact());
}

#[test]
fn unchanged_files_are_shared_and_not_written() {
    let bench = Bench::new();
    let one = bench.copy("one");
    let first = one.first();
    assert!(one.forecast(Some(&first.index)).is_unchanged());
    let two = bench.copy("two");
    let second = two.after(&one, &first.index);
    let inode = |copy: &Copy, name| {
        fs::symlink_metadata(copy.dest_path.join(name))
            .unwrap()
            .ino()
    };
    for name in [
        "contents/sparse",
        "special/null",
        "links/one/0",
        "attributes/capable",
    ] {
        assert_eq!(inode(&one, name), inode(&two, name), "{name}");
    }
    // Immutable files cannot have another name; everything else can.
    assert_ne!(
        inode(&one, "locked/immutable"),
        inode(&two, "locked/immutable")
    );
    assert!(second.written.bytes < 100, "{:?}", second.written);
    assert_equal(&two);
}

#[test]
fn a_second_pass_brings_in_place_what_changed() {
    let bench = Bench::new();
    let one = bench.copy("one");
    let first = one.first();
    work_on(&bench.source.path("upper"));
    let second = one.second(&first);
    assert!(
        second.written.files > 0 && second.written.files < 20,
        "{:?}",
        second.written
    );
    assert_equal(&one);
    assert!(one.verify().is_intact(), "{:?}", one.verify());
}

#[test]
fn a_source_in_motion_is_copied_until_it_rests() {
    let bench = Bench::new();
    let upper = bench.source.path("upper");
    let one = bench.copy("one");
    let stop = AtomicBool::new(false);
    let mut copied = std::thread::scope(|scope| {
        scope.spawn(|| keep_moving(&upper, &stop));
        let first = one.first();
        let second = one.second(&first);
        stop.store(true, Ordering::Relaxed);
        second
    });
    copied = one.second(&copied);
    assert_equal(&one);
    assert_eq!(copied.totals.entries, one.forecast(None).total.entries);
    assert!(one.verify().is_intact(), "{:?}", one.verify());
}

/// Changes everything that can change, over and over.
fn keep_moving(upper: &Path, stop: &AtomicBool) {
    let dir = upper.join("restless");
    for round in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        fs::create_dir_all(dir.join("a/b")).unwrap();
        fs::write(dir.join("file"), vec![1; 3_000_000]).unwrap();
        fs::write(dir.join("a/b/new"), round.to_string()).unwrap();
        fs::rename(dir.join("a/b/new"), dir.join("replaced")).unwrap();
        fs::hard_link(dir.join("file"), dir.join("a/link")).unwrap();
        fs::File::options()
            .write(true)
            .open(dir.join("file"))
            .unwrap()
            .set_len(round % 999)
            .unwrap();
        if round % 2 == 0 {
            fs::remove_dir_all(&dir).unwrap();
        } else {
            fs::remove_file(dir.join("a/link")).unwrap();
            fs::remove_dir_all(dir.join("a")).unwrap();
            fs::write(dir.join("a"), "now a file").unwrap();
            fs::remove_file(dir.join("a")).unwrap();
        }
    }
}

#[test]
fn more_links_than_the_destination_allows_share_another_inode() {
    let source = tmpfs().unwrap();
    let upper = source.path("upper");
    fs::create_dir(&upper).unwrap();
    fs::write(upper.join("0"), "many names").unwrap();
    for n in 1..65_100 {
        fs::hard_link(upper.join("0"), upper.join(n.to_string())).unwrap();
    }
    let disk = Disk::format(256 << 20, "ext4", &[]).unwrap();
    let to = disk.mount().unwrap();
    let one = Copy::new(&upper, &to, "one");
    let copied = one.first();
    assert_eq!(copied.totals.entries, 65_101);
    assert_eq!(fs::read_dir(&one.dest_path).unwrap().count(), 65_100);
    let inodes: std::collections::HashSet<u64> = fs::read_dir(&one.dest_path)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().ino())
        .collect();
    // Threads that meet the limit at once each begin another inode.
    assert!((2..=5).contains(&inodes.len()), "{}", inodes.len());
}

#[test]
fn any_tree_can_be_removed() {
    let bench = Bench::new();
    let one = bench.copy("one");
    one.first();
    let top = bench.to.top();
    remove_tree(top.as_fd(), "one".as_ref(), &Unattended).unwrap();
    assert!(!one.dest_path.exists());
    remove_tree(top.as_fd(), "one".as_ref(), &Unattended).unwrap();
}

/// Writes through a mapping again and again while a copy is made.
struct Writing<'a>(&'a Mapping);

impl Progress for Writing<'_> {
    fn advance(&self, _bytes: u64, _entries: u64) {}

    fn cancelled(&self) -> bool {
        self.0.write();
        settle();
        false
    }
}

/// On a disk only the first write to a page is noticed, until the page is written back.
#[test]
fn what_is_written_to_a_page_that_was_dirty_when_it_was_copied_is_copied_again() {
    let disks = [(); 2].map(|()| Disk::format(1 << 28, "ext4", EXT4).unwrap());
    let [source, to] = disks.each_ref().map(|disk| disk.mount().unwrap());
    let upper = source.path("upper");
    fs::create_dir(&upper).unwrap();
    let [before, meanwhile, _] = ["before", "meanwhile", "quiet"].map(|name| {
        fs::write(upper.join(name), "content").unwrap();
        Mapping::of(&upper.join(name)).unwrap()
    });
    before.write();
    settle();
    let one = Copy::new(&upper, &to, "one");
    let first = one.try_first(None, &Writing(&meanwhile)).unwrap();
    settle();
    let changed = || {
        let facts = fs::metadata(upper.join("meanwhile")).unwrap();
        (facts.ctime(), facts.ctime_nsec())
    };
    let last = changed();
    before.write();
    meanwhile.write();
    assert_eq!(changed(), last, "nothing tells of it");
    let two = Copy::new(&upper, &to, "two");
    let second = two.after(&one, &first.index);
    assert_equal(&two);
    assert_eq!(second.written.files, 2);
}
