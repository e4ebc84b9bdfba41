//! Every parser of what a stick or an archive says, fed with damaged and forged input.
//!
//! Seeds are files of a real home, kept beside this one. Each run changes one a little, always the
//! same way for the same number, and where a checksum would give it away makes that right again.
//! `WENDY_HOME_FUZZ` sets the number of runs of each parser (default 20 000).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod changes;

use changes::{fuzz, overwrite};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use wendy_home::codec::Writer;
use wendy_home::convert::journal;
use wendy_home::fat::{self, Removed};
use wendy_home::home::new_root;
use wendy_home::import::archive;
use wendy_home::mode::Mode;
use wendy_home::names;
use wendy_home::record::Record;
use wendy_home::store::log;
use wendy_home::store::superblock::{self, Superblock};
use wendy_home::table::Table;

const SUPERBLOCK: &[u8] = include_bytes!("superblock");
const CHECKPOINT: &[u8] = include_bytes!("checkpoint");
const LOG: &[u8] = include_bytes!("log");
const JOURNAL: &[u8] = include_bytes!("journal");
const ARCHIVE: &[u8] = include_bytes!("archive");
const NAMES: &[u8] = include_bytes!("names");

#[test]
fn superblocks() {
    fuzz(SUPERBLOCK, |bytes, honest| {
        if honest && bytes.len() >= superblock::SIZE {
            forge_sector(&mut bytes[..superblock::SIZE]);
        }
        black_box(Superblock::parse(bytes));
    });
}

/// What counts is what a conversion would have written, but for bytes that mean nothing.
#[test]
fn journals() {
    let mut counted = 0;
    fuzz(JOURNAL, |bytes, honest| {
        bytes.resize(journal::SIZE, 0);
        if honest {
            forge_sector(bytes);
        }
        let sector = bytes.as_slice().try_into().unwrap();
        for number in [0, 1] {
            if let Ok(Some(to)) = journal::parse(sector, number) {
                let fields = [number, usize::from(to == Mode::Image)];
                assert_eq!([bytes[16], bytes[17]].map(usize::from), fields);
                assert_eq!(bytes[..12], JOURNAL[..12]);
                counted += 1;
            }
        }
    });
    assert!(counted > 0);
}

#[test]
fn seeds_hold_every_kind_of_record() {
    let frames = log::frames(LOG);
    let payloads = frames.iter().map(|frame| frame.payload).chain([CHECKPOINT]);
    let records = payloads.flat_map(|payload| Record::read_all(payload).unwrap());
    let tags: BTreeSet<u8> = records
        .map(|record| {
            let mut out = Writer::default();
            record.write(&mut out);
            out.into_bytes()[0]
        })
        .collect();
    assert_eq!(tags, (1..=12).collect());
}

#[test]
fn checkpoints() {
    assert!(table_of(CHECKPOINT).is_some_and(|table| table.len() > 10));
    fuzz(CHECKPOINT, |bytes, thorough| {
        let Some(table) = table_of(bytes) else { return };
        if thorough {
            check(&table);
        }
    });
}

#[test]
fn logs() {
    assert!(log::frames(LOG).len() > 10);
    fuzz(LOG, |bytes, honest| {
        if honest {
            forge_frames(bytes);
        }
        let mut table = table_of(CHECKPOINT).unwrap();
        for frame in log::frames(bytes) {
            for record in Record::read_all(frame.payload).unwrap_or_default() {
                // Refused or not, the table stays sound.
                drop(table.apply(&record));
            }
        }
        if honest {
            check(&table);
        }
    });
}

#[test]
fn lower_names() {
    fuzz(NAMES, |bytes, _| {
        let lower = String::from_utf8_lossy(bytes);
        for lower in lower.lines() {
            let name = names::name_for(lower);
            assert!(names::is_valid(&name), "{lower:?}");
            assert_eq!(names::decode(&names::encode(&name)), name);
            let full = names::variant(&name, names::FULL_VARIANT);
            assert_eq!(names::decode(&full), name);
            assert!(names::fits(&full) && !names::fold(&full).is_empty());
        }
    });
}

#[test]
fn archives() {
    fuzz(ARCHIVE, |bytes, honest| {
        if honest {
            forge_sums(bytes);
        }
        let taken = archive::read(&mut bytes.as_slice(), &mut |incoming, content| {
            black_box(incoming);
            std::io::copy(content, &mut std::io::sink()).map(drop)
        });
        drop(taken);
    });
}

/// A whole medium, in a file.
#[test]
fn directories_on_fat() {
    let file = tempfile::tempfile_in("/dev/shm").unwrap();
    let mut removed = Removed::default();
    fuzz(&fat(), |bytes, _| {
        file.set_len(bytes.len() as u64).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        let now = fat::remove_half_written(&file).unwrap_or_default();
        removed.directories += now.directories;
        removed.pieces += now.pieces;
    });
    let Removed {
        directories,
        pieces,
    } = removed;
    assert!(directories > 0 && pieces > 0, "never removed: {removed:?}");
}

/// FAT12 with a chain of directories, the last of which was never written, and the entry of each comes
/// after a piece of another's long name.
fn fat() -> Vec<u8> {
    const SECTOR: usize = 512;
    let mut bytes = vec![0; 10 * SECTOR];
    let fields: [(usize, &[u8]); 7] = [
        (11, &[0, 2]),
        (13, &[1]),
        (14, &[1, 0]),
        (16, &[1]),
        (17, &[16, 0]),
        (19, &[10, 0]),
        (22, &[1, 0]),
    ];
    for (at, value) in fields {
        overwrite(&mut bytes, at, value);
    }
    overwrite(&mut bytes[SECTOR..], 0, &[0xff; 15]);
    for (cluster, directory) in (2..6u8).zip([2, 3, 4, 5]) {
        let entries: [(&[u8; 11], u8, u8); 4] = [
            (b".          ", 0x10, 0),
            (b"..         ", 0x10, 0),
            (b"\x41l\0o\0n\0g\0\0\0", 0x0f, 0),
            (b"BELOW      ", 0x10, cluster),
        ];
        let below = entries.map(|(name, attributes, cluster)| {
            let mut entry = [0; 32];
            entry[..11].copy_from_slice(name);
            (entry[11], entry[26]) = (attributes, cluster);
            entry
        });
        let from = if directory == 2 { 64..128 } else { 0..128 };
        overwrite(&mut bytes[directory * SECTOR..], 0, &below.concat()[from]);
    }
    bytes[6 * SECTOR..7 * SECTOR].fill(b'n');
    bytes
}

fn table_of(bytes: &[u8]) -> Option<Table> {
    let mut table = Table::new(new_root());
    let records = Record::read_all(bytes)?;
    records
        .iter()
        .try_for_each(|record| table.apply(record))
        .ok()
        .map(|()| table)
}

/// A table that was accepted can be written and read again.
fn check(table: &Table) {
    black_box(table.is_whole());
    let mut again = Table::new(new_root());
    let records = table.snapshot();
    for record in &records {
        again.apply(record).unwrap();
    }
    assert_eq!(again.snapshot(), records);
}

/// Makes the checksum of a superblock right, or of a file of the journal.
fn forge_sector(bytes: &mut [u8]) {
    let crc = crc32c::crc32c(&bytes[16..]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
}

/// Makes the checksums of all frames right that have a magic number and fit.
fn forge_frames(bytes: &mut [u8]) {
    for at in (0..bytes.len().saturating_sub(32)).step_by(8) {
        if bytes[at..at + 4] != *b"WLF1" {
            continue;
        }
        let length: [u8; 4] = bytes[at + 4..at + 8].try_into().unwrap();
        let end = at + 32 + u32::from_le_bytes(length) as usize;
        if let Some(body) = bytes.get(at + 16..end) {
            let crc = crc32c::crc32c(body).to_le_bytes();
            bytes[at + 8..at + 12].copy_from_slice(&crc);
        }
    }
}

/// Makes the sums of all headers right.
fn forge_sums(bytes: &mut [u8]) {
    let headers = bytes.chunks_exact_mut(512);
    for header in headers.filter(|block| block[257..262] == *b"ustar") {
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
