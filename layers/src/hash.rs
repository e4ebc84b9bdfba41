//! The hash of an entry: one number that a copy on another filesystem has as well.
//!
//! It covers kind, owner, mode, flags, modification time in seconds, extended attributes, and the
//! data, link target or device number. It leaves out what differs between faithful copies: inode
//! numbers, access times, fractions of seconds, block maps.

use xxhash_rust::xxh3::Xxh3Default;

use crate::attributes::Xattrs;
use crate::facts::Facts;

/// Data is looked at in blocks of this many bytes; blocks of zeros count like holes.
pub(crate) const BLOCK: usize = 4096;

/// The hash of a file's data, however it is stored.
pub(crate) struct DataHash {
    state: Xxh3Default,
    /// Where the last run of data ended.
    end: u64,
}

impl DataHash {
    pub fn new() -> Self {
        Self {
            state: Xxh3Default::new(),
            end: 0,
        }
    }

    /// Adds `data`, which begins at a multiple of [`BLOCK`] and ends at one or at the file's end.
    pub fn update(&mut self, offset: u64, data: &[u8]) {
        let mut rest = data;
        while !rest.is_empty() {
            let zeros = length_of_run(rest, true);
            let run = length_of_run(&rest[zeros..], false);
            let start = offset + (data.len() - rest.len() + zeros) as u64;
            self.run(start, &rest[zeros..zeros + run]);
            rest = &rest[zeros + run..];
        }
    }

    pub fn finish(self) -> u64 {
        self.state.digest()
    }

    fn run(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        if offset != self.end {
            self.state.update(&offset.to_le_bytes());
        }
        self.state.update(data);
        self.end = offset + data.len() as u64;
    }
}

/// The hash of an entry with these facts, attributes and `content`: its data's hash or its target.
pub(crate) fn entry(facts: &Facts, xattrs: &Xattrs, content: &[u8]) -> u64 {
    let mut state = Xxh3Default::new();
    let size = if facts.is_file() { facts.size } else { 0 };
    let numbers = [
        facts.kind.as_raw_mode() | facts.mode,
        facts.uid,
        facts.gid,
        facts.rdev.0,
        facts.rdev.1,
    ];
    for number in numbers {
        state.update(&number.to_le_bytes());
    }
    for number in [facts.flags.bits(), size, facts.mtime.tv_sec.cast_unsigned()] {
        state.update(&number.to_le_bytes());
    }
    for (name, value) in xattrs {
        state.update(name.to_bytes_with_nul());
        state.update(&(value.len() as u64).to_le_bytes());
        state.update(value);
    }
    state.update(content);
    state.digest()
}

/// Bytes at the start of `data` in blocks that are all zero, or all not.
fn length_of_run(data: &[u8], zero: bool) -> usize {
    let blocks = data
        .chunks(BLOCK)
        .take_while(|block| is_zero(block) == zero);
    blocks.map(<[u8]>::len).sum()
}

fn is_zero(block: &[u8]) -> bool {
    block
        .chunks(64)
        .all(|chunk| chunk.iter().fold(0, |sum, byte| sum | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(pieces: &[(u64, &[u8])]) -> u64 {
        let mut hash = DataHash::new();
        for (offset, data) in pieces {
            hash.update(*offset, data);
        }
        hash.finish()
    }

    #[test]
    fn holes_hash_like_zeros() {
        let mut dense = vec![0; 5 * BLOCK];
        dense[BLOCK..BLOCK + 3].copy_from_slice(b"one");
        dense[4 * BLOCK..4 * BLOCK + 3].copy_from_slice(b"two");
        let sparse: [(u64, &[u8]); 2] = [
            (BLOCK as u64, &dense[BLOCK..2 * BLOCK]),
            (4 * BLOCK as u64, &dense[4 * BLOCK..]),
        ];
        assert_eq!(hash(&[(0, &dense)]), hash(&sparse));
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        let data: Vec<u8> = (0..9 * BLOCK + 17)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        let cut = 3 * BLOCK;
        assert_eq!(
            hash(&[(0, &data)]),
            hash(&[(0, &data[..cut]), (cut as u64, &data[cut..])])
        );
    }

    #[test]
    fn data_at_another_place_hashes_otherwise() {
        let data = [7; BLOCK];
        assert_ne!(hash(&[(0, &data)]), hash(&[(BLOCK as u64, &data)]));
    }
}
