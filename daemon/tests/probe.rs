//! The real probe program on real filesystems.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

mod common;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use common::{Image, Mounted, Stick, run};
use tempfile::TempDir;
use wendy_sys::block::{Access, BlockDevice};
use wendyd::probe::{ProbeError, Prober, Report, Target, Text};

const SESSION: &str = "11111111-2222-4333-8444-555555555555";

fn look(medium: &Stick, fs_type: &str) -> Result<Report, ProbeError> {
    let device = BlockDevice::open(medium.node(), Access::Read).unwrap();
    prober().look(Target::Device(&device, fs_type))
}

fn prober() -> Prober {
    Prober::new(PathBuf::from(env!("CARGO_BIN_EXE_wendy-probe")))
}

/// A tree as a store has it, with one session whose first save is complete.
fn store_tree(root: &Path) {
    let session = root.join("casper/sessions").join(SESSION);
    let generation = session.join("generations/1");
    fs::create_dir_all(generation.join("upper")).unwrap();
    fs::create_dir_all(root.join("casper/blank/upper")).unwrap();
    fs::write(root.join("casper/.info"), "name=My stick\n").unwrap();
    fs::write(session.join(".info"), "name=Report\n").unwrap();
    fs::write(generation.join(".info"), "generation=1\n").unwrap();
    std::os::unix::fs::symlink("generations/1", session.join("current")).unwrap();
    std::os::unix::fs::symlink(format!("sessions/{SESSION}"), root.join("casper/default")).unwrap();
    std::os::unix::fs::symlink("casper/default/upper", root.join("upper")).unwrap();
}

fn assert_store(report: &Report) {
    assert_eq!(report.marker, Some(Text::Utf8("name=My stick\n".into())));
    assert_eq!(report.default, Some(format!("sessions/{SESSION}")));
    let [session] = &report.sessions[..] else {
        panic!("{report:?}")
    };
    assert_eq!(session.id, SESSION);
    assert_eq!(session.record, Some(Text::Utf8("name=Report\n".into())));
    assert_eq!(session.current.as_deref(), Some("generations/1"));
    assert_eq!(
        session.generation,
        Some(Text::Utf8("generation=1\n".into()))
    );
    assert!(
        report.root.iter().any(|(name, _)| name == "upper"),
        "{report:?}"
    );
    assert!(!report.left_out && report.image.is_none());
}

fn ext4(fill: impl FnOnce(&Path)) -> Stick {
    Stick::ext4("", fill)
}

/// A medium filled through a mount.
fn filled(size: u64, fs_type: &str) -> Stick {
    let medium = Stick::formatted(size, fs_type);
    let place = Mounted::new(medium.node(), fs_type);
    store_tree(place.path());
    drop(place);
    medium
}

#[test]
fn a_store_on_ext4_is_read_without_a_mount() {
    let medium = ext4(store_tree);
    let before = medium.bytes();
    let report = look(&medium, "ext4").unwrap();
    assert_store(&report);
    assert!(report.clean);
    assert!(report.space.free > 1 << 20 && report.space.free < report.space.size);
    assert!(medium.bytes() == before, "the medium was written to");
}

#[test]
fn a_store_that_is_mounted_is_read_as_it_is_now() {
    let medium = ext4(store_tree);
    assert_store(&look(&medium, "ext4").unwrap());
    let place = Mounted::new(medium.node(), "ext4");
    for round in 0..20 {
        let marker = format!("name=Round {round}\n");
        fs::write(place.path().join("casper/.info"), &marker).unwrap();
        place.sync();
        let report = look(&medium, "ext4").unwrap();
        assert_eq!(report.marker, Some(Text::Utf8(marker)));
        assert!(!report.clean);
    }
    drop(place);
}

#[test]
fn a_store_on_btrfs_is_read_and_not_written() {
    let medium = filled(128 << 20, "btrfs");
    let before = medium.bytes();
    assert_store(&look(&medium, "btrfs").unwrap());
    assert!(medium.bytes() == before, "the medium was written to");
}

#[test]
fn a_store_on_xfs_is_read_and_not_written() {
    let medium = filled(320 << 20, "xfs");
    let before = medium.bytes();
    assert_store(&look(&medium, "xfs").unwrap());
    assert!(medium.bytes() == before, "the medium was written to");
}

/// What is on the medium at an instant at which somebody pulls it out.
#[test]
fn a_journal_is_not_replayed_on_the_medium() {
    for (fs_type, size) in [("ext4", 16), ("btrfs", 128), ("xfs", 320)] {
        let medium = Stick::formatted(size << 20, fs_type);
        let place = Mounted::new(medium.node(), fs_type);
        store_tree(place.path());
        place.sync();
        fs::write(place.path().join("late"), "late").unwrap();
        File::open(place.path().join("late"))
            .unwrap()
            .sync_all()
            .unwrap();
        let pulled = Image::copy_of(medium.image());
        drop(place);
        let pulled = Stick::plugged(pulled);
        let before = pulled.bytes();
        let report = look(&pulled, fs_type);
        println!(
            "{fs_type}, pulled: {:?}",
            report.as_ref().map(|report| report.clean)
        );
        assert!(
            pulled.bytes() == before,
            "the {fs_type} medium was written to"
        );
        if fs_type == "ext4" {
            let report = report.unwrap();
            assert_store(&report);
            assert!(!report.clean && report.root.iter().any(|(name, _)| name == "late"));
        }
    }
}

#[test]
fn squashfs_and_the_image_in_a_root_are_read() {
    let inner = ext4(store_tree);
    let tree = TempDir::new().unwrap();
    fs::copy(inner.image(), tree.path().join("persistence")).unwrap();
    let squashed = Stick::made(0, |image| {
        let [tree, image] = [tree.path(), image].map(|path| path.to_str().unwrap());
        let quietly = ["-noappend", "-quiet", "-no-progress"];
        run("mksquashfs", &[&[tree, image], &quietly[..]].concat());
    });
    let report = look(&squashed, "squashfs").unwrap();
    assert_eq!(report.marker, None);
    let found = report.image.unwrap();
    assert_eq!(found.file, "persistence");
    assert_store(&found.report);
}

#[test]
fn links_lead_nowhere() {
    let medium = ext4(|root| {
        fs::create_dir(root.join("real")).unwrap();
        fs::write(root.join("real/.info"), "name=x\n").unwrap();
        std::os::unix::fs::symlink("real", root.join("casper")).unwrap();
        std::os::unix::fs::symlink("/etc/shadow", root.join("persistence.conf")).unwrap();
    });
    let report = look(&medium, "ext4").unwrap();
    assert_eq!((report.marker, report.persistence_conf), (None, None));
}

#[test]
fn what_is_too_much_is_left_out() {
    let medium = ext4(|root| {
        store_tree(root);
        fs::write(root.join("casper/.info"), vec![b'#'; 70_000]).unwrap();
        for number in 0..400 {
            let id = format!("{number:08}-2222-4333-8444-555555555555");
            fs::create_dir(root.join("casper/sessions").join(&id)).unwrap();
            fs::write(
                root.join(format!("casper/sessions/{id}/.info")),
                [b'x'; 4000],
            )
            .unwrap();
        }
    });
    let report = look(&medium, "ext4").unwrap();
    assert_eq!(report.marker, Some(Text::TooLarge));
    assert!(report.left_out && report.sessions.len() < 30);
}

#[test]
fn unknown_filesystems_are_not_touched() {
    let medium = ext4(|_| {});
    for fs_type in ["", "crypto_LUKS", "zfs_member", "fuse", "../ext4", "-o"] {
        assert!(
            matches!(look(&medium, fs_type), Err(ProbeError::Unsupported(_))),
            "{fs_type}"
        );
    }
    assert!(matches!(look(&medium, "xfs"), Err(ProbeError::Failed(_))));
    assert!(matches!(look(&medium, "vfat"), Err(ProbeError::Failed(_))));
}

/// A medium that is damaged anywhere gives a report or an error, in time, and stays as it is.
#[test]
fn no_damage_hangs_or_crashes_the_look() {
    let medium = ext4(store_tree);
    let whole = medium.bytes();
    let mut random = Random(0x5EED);
    let mut reports = 0;
    let started = Instant::now();
    for _ in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..1 + random.below(8) {
            let at = random.place(&whole);
            damaged[at] = random.below(256).try_into().unwrap();
        }
        fs::write(medium.image(), &damaged).unwrap();
        let before = Instant::now();
        match look(&medium, "ext4") {
            Ok(_) => reports += 1,
            Err(error) => assert!(matches!(error, ProbeError::Failed(_)), "{error}"),
        }
        assert!(before.elapsed() < Duration::from_secs(12));
        assert!(medium.bytes() == damaged, "the medium was written to");
    }
    assert!(
        reports > 0 && reports < 300,
        "{reports} of 300 could be read"
    );
    println!(
        "{reports} of 300 damaged media could be read, in {:?}",
        started.elapsed()
    );
}

/// xorshift64*: the same damage in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    /// Somewhere that holds something: most of an image is zeros nobody reads.
    fn place(&mut self, image: &[u8]) -> usize {
        loop {
            let at = self.below(image.len());
            let block = at / 512 * 512;
            if image[block..block + 512].iter().any(|byte| *byte != 0) {
                return at;
            }
        }
    }
}
