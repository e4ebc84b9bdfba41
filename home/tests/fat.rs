//! What was written in half on FAT, as a pulled plug leaves it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{command, find, skip};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use wendy_home::fat;
use wendy_home::login::check::{self, Checked, Filesystem};

/// A medium made by mkfs.fat with clusters of 512 bytes.
struct Medium {
    _dir: tempfile::TempDir,
    path: PathBuf,
    file: File,
    /// Bits of an entry of the table, and its offset.
    width: u64,
    table: u64,
    /// Offset of the root directory, and of cluster 2.
    root: u64,
    data: u64,
}

impl Medium {
    fn new(width: u64) -> Option<Self> {
        if find("mkfs.fat").is_none() || find("fsck.fat").is_none() {
            skip("install dosfstools");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("medium");
        let size = [(12, 1 << 20), (16, 16 << 20), (32, 40 << 20)]
            .into_iter()
            .find(|size| size.0 == width)
            .unwrap()
            .1;
        File::create(&path).unwrap().set_len(size).unwrap();
        let made = command("mkfs.fat")
            .args(["-s", "1", "-F", &width.to_string()])
            .arg(&path)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let mut boot = [0; 512];
        file.read_exact_at(&mut boot, 0).unwrap();
        let half = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let length = if half(22) == 0 { half(36) } else { half(22) };
        let root = (half(14) + u64::from(boot[16]) * length) * 512;
        Some(Self {
            _dir: dir,
            path,
            file,
            width,
            table: half(14) * 512,
            root,
            data: root + half(17) * 32,
        })
    }

    fn cluster(&self, cluster: u64) -> u64 {
        self.data + (cluster - 2) * 512
    }

    /// Makes a cluster the last of its chain.
    fn end_chain(&self, cluster: u64) {
        let at = self.table + cluster * self.width / 8;
        match self.width {
            32 => self.put(at, &[0xff, 0xff, 0xff, 0x0f]),
            16 => self.put(at, &[0xff, 0xff]),
            _ if cluster.is_multiple_of(2) => {
                self.put(at, &[0xff]);
                self.put(at + 1, &[self.byte(at + 1) | 0x0f]);
            }
            _ => {
                self.put(at, &[self.byte(at) | 0xf0]);
                self.put(at + 1, &[0xff]);
            }
        }
    }

    fn byte(&self, at: u64) -> u8 {
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, at).unwrap();
        byte[0]
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, at).unwrap();
    }

    /// A directory with what it has to begin with.
    fn write_directory(&self, cluster: u64, above: u64) {
        self.end_chain(cluster);
        self.put(self.cluster(cluster), &[0; 512]);
        self.put(self.cluster(cluster), &entry(b".          ", cluster));
        self.put(self.cluster(cluster) + 32, &entry(b"..         ", above));
    }

    /// Whether fsck.fat finds nothing wrong, nor anything that it would leave as it is.
    fn is_clean(&self) -> bool {
        let mut fsck = command("fsck.fat");
        let said = fsck.arg("-n").arg(&self.path).output().unwrap();
        said.status.success() && !common::leaves_something(&said.stdout)
    }
}

/// The entry of a directory that begins with a cluster.
fn entry(name: &[u8; 11], cluster: u64) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[..11].copy_from_slice(name);
    entry[11] = 0x10;
    // A date of 1980-01-01.
    entry[24] = 0x21;
    let cluster = u32::try_from(cluster).unwrap().to_le_bytes();
    entry[20..22].copy_from_slice(&cluster[2..]);
    entry[26..28].copy_from_slice(&cluster[..2]);
    entry
}

/// The entry of an empty file.
fn file_entry(name: &[u8; 11]) -> [u8; 32] {
    let mut entry = entry(name, 0);
    entry[11] = 0x20;
    entry
}

/// One piece of the long name `aaaaaaaaaaaaa` of a short one.
fn long_name(short: &[u8; 11]) -> [u8; 32] {
    let sum = short
        .iter()
        .fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let mut entry = [0; 32];
    for at in (1..11).chain(14..26).chain(28..32).step_by(2) {
        entry[at] = b'a';
    }
    (entry[0], entry[11], entry[13]) = (0x41, 0x0f, sum);
    entry
}

#[test]
fn directories_never_written_are_gone_and_all_others_stay() {
    for width in [12, 16, 32] {
        let Some(medium) = Medium::new(width) else {
            return;
        };
        let above = medium.root;
        let zero = [0; 512];
        medium.put(above + 32, &entry(b"GOOD       ", 100));
        medium.write_directory(100, 0);
        medium.put(medium.cluster(100) + 64, &long_name(b"STALE~1    "));
        medium.put(medium.cluster(100) + 96, &entry(b"STALE~1    ", 101));
        medium.put(medium.cluster(101), &[b'n'; 512]);
        medium.put(medium.cluster(100) + 128, &entry(b"DEEP       ", 102));
        medium.write_directory(102, 100);
        medium.put(medium.cluster(102) + 64, &entry(b"HALF       ", 103));
        medium.end_chain(103);
        medium.put(medium.cluster(103), &[&zero[..40], &[0xff; 472]].concat());
        medium.put(medium.cluster(102) + 96, &entry(b"EMPTY      ", 104));
        medium.end_chain(104);
        medium.put(medium.cluster(104), &zero);

        check::repair(Filesystem::Vfat, &medium.path).unwrap();
        assert!(medium.is_clean(), "FAT{width}");
        let first = |at: u64| medium.byte(at);
        let [good, stale] = [medium.cluster(100), medium.cluster(100) + 64];
        assert_eq!([first(above + 32), first(good)], [b'G', b'.']);
        assert_eq!([first(stale), first(stale + 32)], [0xe5, 0xe5]);
        assert_eq!(first(good + 128), b'D');
        assert_eq!(first(medium.cluster(102) + 64), 0xe5);
        assert_eq!(first(medium.cluster(102) + 96), b'E');
        assert_eq!(first(medium.cluster(104)), b'.');
    }
}

/// What is left when the sectors of a directory were not all written.
#[test]
fn pieces_of_long_names_without_their_entry_are_gone_and_all_others_stay() {
    for width in [12, 16, 32] {
        let Some(medium) = Medium::new(width) else {
            return;
        };
        let mut beginning = long_name(b"TWO~1      ");
        beginning[0] = 1;
        let mut end = long_name(b"TWO~1      ");
        end[0] = 0x42;
        let entries = [
            long_name(b"OTHER~1    "),
            file_entry(b"N15        "),
            long_name(b"ONE~1      "),
            file_entry(b"ONE~1      "),
            long_name(b"OLD~1      "),
            end,
            beginning,
            file_entry(b"TWO~1      "),
            // The end of this one's name is missing.
            beginning,
            file_entry(b"TWO~2      "),
        ];
        medium.put(medium.root + 32, &entries.concat());

        check::repair(Filesystem::Vfat, &medium.path).unwrap();
        assert!(medium.is_clean(), "FAT{width}");
        let first = |number: u64| medium.byte(medium.root + 32 * (number + 1));
        let left: Vec<u8> = (0..10).map(first).collect();
        assert_eq!(left, *b"\xe5N\x41O\xe5\x42\x01T\xe5T", "FAT{width}");
    }
}

/// Two files that claim one cluster, on a medium that says of itself that it is in order.
#[test]
fn a_crossed_chain_is_found_whatever_the_medium_says() {
    for width in [12, 16, 32] {
        let Some(medium) = Medium::new(width) else {
            return;
        };
        let files = [b"ONE        ", b"OTHER      "].map(|name| {
            let mut entry = file_entry(name);
            entry[26] = 100;
            entry[29] = 2;
            entry
        });
        medium.put(medium.root + 32, &files.concat());
        medium.end_chain(100);

        let look = || check::look(Filesystem::Vfat, &medium.path).unwrap();
        assert!(!check::is_dirty(Filesystem::Vfat, &medium.path).unwrap());
        assert_eq!(look(), Checked::Wrong, "FAT{width}");
        let repaired = check::repair(Filesystem::Vfat, &medium.path).unwrap();
        assert_eq!((repaired, look()), (Checked::Repaired, Checked::Sound));
        let size = |number: u64| medium.byte(medium.root + 32 * number + 29);
        assert_eq!(size(1) + size(2), 2, "FAT{width}: one of them is cut");
    }
}

#[test]
fn circles_and_nonsense_come_to_an_end() {
    let Some(medium) = Medium::new(16) else {
        return;
    };
    let file = &medium.file;
    medium.put(medium.root + 32, &entry(b"SELF       ", 100));
    medium.write_directory(100, 0);
    medium.put(medium.cluster(100) + 64, &entry(b"AGAIN      ", 100));
    medium.put(medium.cluster(100) + 96, &entry(b"BEYOND     ", 0xfff0));
    // The chain of the directory leads back to itself.
    medium.put(medium.table + 200, &[100, 0]);
    let removed = fat::remove_half_written(file).unwrap();
    assert_eq!(removed, fat::Removed::default());
    medium.put(11, &[1, 0]);
    let refused = fat::remove_half_written(file).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidData);
}
