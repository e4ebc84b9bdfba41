//! An index as a file.
//!
//! The magic number, then seed, fingerprint of what was left out and number of records (8 bytes each),
//! records of key (8), stamp (4) and hash (8) in the order of their keys, and a checksum.

use std::io::{Read, Write};

use super::{BUCKETS, Index, RECORD, Record, join};
use crate::summed::{Format, Reader, Writer};
use crate::{Error, Result};

const FORMAT: Format = Format {
    what: "index",
    magic: b"wendyix2",
    damaged,
};

impl Index {
    /// Writes the index for [`Index::read`].
    ///
    /// # Errors
    /// [`Error::Stream`] when `to` fails.
    pub fn write(&self, to: impl Write) -> Result<()> {
        let mut to = Writer::new(&FORMAT, to)?;
        for number in [self.seed, self.exclude, self.len() as u64] {
            to.put(&number.to_le_bytes())?;
        }
        for record in self.buckets.iter().flatten() {
            to.put(&record.to_bytes())?;
        }
        to.finish()
    }

    /// Reads what [`Index::write`] wrote.
    ///
    /// # Errors
    /// [`Error::Index`] when it is damaged, incomplete or of another version.
    pub fn read(from: impl Read) -> Result<Self> {
        let mut from = Reader::new(&FORMAT, from)?;
        let mut index = Self {
            seed: u64::from_le_bytes(from.take()?),
            exclude: u64::from_le_bytes(from.take()?),
            buckets: vec![Vec::new(); BUCKETS],
        };
        let count = u64::from_le_bytes(from.take()?);
        let mut last = None;
        for _ in 0..count {
            let record = Record::from_bytes(from.take()?);
            let key = record.key();
            if last.replace(key).is_some_and(|last| last >= key) {
                return Err(damaged("it is out of order"));
            }
            index.buckets[key.bucket()].push(record);
        }
        from.finish()?;
        Ok(index)
    }
}

impl Record {
    fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..8].copy_from_slice(&join(self.key).to_le_bytes());
        bytes[8..12].copy_from_slice(&self.stamp.to_le_bytes());
        bytes[12..].copy_from_slice(&join(self.hash).to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; RECORD]) -> Self {
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        Self {
            key: [word(0), word(4)],
            stamp: word(8),
            hash: [word(12), word(16)],
        }
    }
}

fn damaged(reason: &'static str) -> Error {
    Error::Index { reason }
}
