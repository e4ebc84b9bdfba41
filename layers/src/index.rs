//! The memory of a copy: what every source inode looked like when it was copied.
//!
//! Twenty bytes per entry, found by a keyed hash of its path: the source's inode number and ctime,
//! which no program can forge, folded into a stamp, and the hash that the manifest records. An
//! index is only as trustworthy as the place it is kept in: `/run`, never the medium.

use std::ffi::CStr;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::Exclude;
use crate::facts::Facts;

mod builder;
mod file;

pub(crate) use builder::Builder;

const BUCKETS: usize = 256;
const RECORD: usize = 20;
/// Stamp of an entry that was still changing: equal to no other stamp.
const UNSETTLED: u32 = 0;

/// What the entries of an upper looked like when they were last copied.
#[derive(Debug, Clone)]
pub struct Index {
    seed: u64,
    /// What was left out, by its fingerprint.
    exclude: u64,
    /// Sorted by key; the bucket is the key's first byte.
    buckets: Vec<Vec<Record>>,
}

/// What an index knows about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is as it was when it was copied, with this hash.
    Same(u64),
    /// It was copied and has changed since.
    Changed,
    /// It was not there.
    New,
}

/// Key of a path. A directory's key seeds those of its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(u64);

impl Key {
    /// The key of the entry `name` in the directory with this key.
    pub fn of(self, name: &CStr) -> Self {
        Self(xxh3_64_with_seed(name.to_bytes(), self.0))
    }

    fn bucket(self) -> usize {
        usize::from(self.0.to_be_bytes()[0])
    }
}

/// Split into words so that the record is 20 bytes and not 24.
#[derive(Debug, Clone, Copy)]
struct Record {
    key: [u32; 2],
    stamp: u32,
    hash: [u32; 2],
}

impl Index {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(Vec::len).sum()
    }

    /// Whether it knows nothing.
    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(Vec::is_empty)
    }

    /// Whether `exclude` is what was left out.
    pub(crate) fn leaves_out(&self, exclude: &Exclude) -> bool {
        self.exclude == exclude.fingerprint()
    }

    /// Whether the entry at `key` was there.
    pub(crate) fn has(&self, key: Key) -> bool {
        self.find(key).is_some()
    }

    fn find(&self, key: Key) -> Option<&Record> {
        let bucket = &self.buckets[key.bucket()];
        let found = bucket.binary_search_by_key(&key, Record::key).ok()?;
        Some(&bucket[found])
    }

    /// Compares the present state of the entry at `key` with the one remembered.
    pub(crate) fn lookup(&self, key: Key, facts: &Facts) -> Known {
        let Some(record) = self.find(key) else {
            return Known::New;
        };
        if record.stamp == stamp(self.seed, facts) {
            Known::Same(join(record.hash))
        } else {
            Known::Changed
        }
    }

    /// Makes the entry at `key` count as changed, whatever its inode says.
    pub(crate) fn forget(&mut self, key: Key) {
        let bucket = &mut self.buckets[key.bucket()];
        if let Ok(found) = bucket.binary_search_by_key(&key, Record::key) {
            bucket[found].stamp = UNSETTLED;
        }
    }
}

impl Record {
    fn key(&self) -> Key {
        Key(join(self.key))
    }
}

/// Low word first.
#[allow(clippy::cast_possible_truncation, reason = "each half is cut out")]
fn split(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn join([low, high]: [u32; 2]) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn stamp(seed: u64, facts: &Facts) -> u32 {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&facts.ino.to_le_bytes());
    bytes[8..16].copy_from_slice(&facts.ctime.tv_sec.to_le_bytes());
    bytes[16..].copy_from_slice(&facts.ctime.tv_nsec.to_le_bytes());
    split(xxh3_64_with_seed(&bytes, seed))[0].max(UNSETTLED + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;

    fn sample(entries: u32) -> (Index, Facts) {
        let facts = Facts::of(std::fs::File::open("/").unwrap().as_fd()).unwrap();
        let settled = |n: u32| Facts {
            settled: n.is_multiple_of(2),
            ..facts.clone()
        };
        let builder = Builder::new(None, &Exclude::nothing());
        for n in 0..entries {
            let name = std::ffi::CString::new(n.to_string()).unwrap();
            builder.record(builder.top().of(&name), &settled(n), u64::from(n));
        }
        (builder.finish(), facts)
    }

    fn key(index: &Index, name: &CStr) -> Key {
        Builder::new(Some(index), &Exclude::nothing())
            .top()
            .of(name)
    }

    #[test]
    fn only_settled_entries_are_the_same() {
        let (index, mut facts) = sample(1000);
        assert_eq!(index.lookup(key(&index, c"8"), &facts), Known::Same(8));
        assert_eq!(index.lookup(key(&index, c"9"), &facts), Known::Changed);
        assert_eq!(index.lookup(key(&index, c"1000"), &facts), Known::New);
        facts.ctime.tv_nsec ^= 1;
        assert_eq!(index.lookup(key(&index, c"8"), &facts), Known::Changed);
    }

    #[test]
    fn a_written_index_reads_back() {
        let (index, facts) = sample(3000);
        let mut bytes = Vec::new();
        index.write(&mut bytes).unwrap();
        let again = Index::read(&bytes[..]).unwrap();
        assert_eq!(again.len(), 3000);
        assert_eq!(
            again.lookup(key(&again, c"2998"), &facts),
            Known::Same(2998)
        );
    }

    #[test]
    fn a_damaged_index_is_refused() {
        let (index, _) = sample(100);
        let mut bytes = Vec::new();
        index.write(&mut bytes).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(Index::read(&damaged[..]).is_err(), "byte {at}");
            assert!(Index::read(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_record_is_twenty_bytes() {
        assert_eq!(size_of::<Record>(), RECORD);
    }
}
