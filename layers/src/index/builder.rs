//! Collecting an index while a copy is made.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::{BUCKETS, Index, Key, Record, UNSETTLED, split, stamp};
use crate::Exclude;
use crate::facts::Facts;

/// Collects an index from several threads.
#[derive(Debug)]
pub(crate) struct Builder {
    seed: u64,
    exclude: u64,
    /// See [`Builder::noticing_after`].
    noticed_after: Option<SystemTime>,
    buckets: Vec<Mutex<Vec<Record>>>,
}

impl Builder {
    /// A builder with the keys of `previous`, so that a key serves both, or with fresh ones.
    pub fn new(previous: Option<&Index>, exclude: &Exclude) -> Self {
        let seed = previous.map_or_else(random, |index| index.seed);
        Self {
            seed,
            exclude: exclude.fingerprint(),
            noticed_after: None,
            buckets: (0..BUCKETS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Believes nothing of a file that has changed since `moment`, if there is one.
    pub fn noticing_after(self, moment: Option<SystemTime>) -> Self {
        Self {
            noticed_after: moment,
            ..self
        }
    }

    /// Key of the top of the tree.
    pub fn top(&self) -> Key {
        Key(self.seed)
    }

    /// Remembers an entry. One that may still be changing is remembered as always changed.
    pub fn record(&self, key: Key, facts: &Facts, hash: u64) {
        let rested = |moment| !facts.is_file() || facts.changed_before(moment);
        let stamp = if facts.settled && self.noticed_after.is_none_or(rested) {
            stamp(self.seed, facts)
        } else {
            UNSETTLED
        };
        let record = Record {
            key: split(key.0),
            stamp,
            hash: split(hash),
        };
        let bucket = &self.buckets[key.bucket()];
        bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record);
    }

    pub fn finish(self) -> Index {
        let sorted = |bucket: Mutex<Vec<Record>>| {
            let mut records = bucket.into_inner().unwrap_or_else(PoisonError::into_inner);
            records.sort_unstable_by_key(Record::key);
            records.dedup_by_key(|record| record.key());
            records.shrink_to_fit();
            records
        };
        Index {
            seed: self.seed,
            exclude: self.exclude,
            buckets: self.buckets.into_iter().map(sorted).collect(),
        }
    }
}

/// A seed nobody can know, so that no names can be made to collide.
fn random() -> u64 {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .expect("getrandom without flags and with a small buffer does not fail");
    u64::from_le_bytes(bytes)
}
