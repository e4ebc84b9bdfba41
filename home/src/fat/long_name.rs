//! Long names on FAT: pieces that come before the entry they belong to.

use super::entry::Entry;

/// In the number of the piece that comes first on the medium, and is the end of the name.
const LAST: u8 = 0x40;

/// A piece of a long name.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Where it is on the medium.
    pub at: u64,
    /// Its number, counted from 1 at the beginning of the name, and [`LAST`].
    number: u8,
    /// Sum of the short name it belongs to.
    sum: u8,
}

impl Piece {
    /// What an entry at `at` says that is one.
    pub fn of(entry: &Entry<'_>, at: u64) -> Self {
        let (number, sum) = (entry.0[0], entry.0[13]);
        Self { at, number, sum }
    }
}

/// The pieces just before an entry: those of others, which all systems ignore, and those that are its
/// long name.
pub fn split<'a>(pieces: &'a [Piece], entry: &Entry<'_>) -> (&'a [Piece], &'a [Piece]) {
    pieces.split_at(pieces.len() - length(pieces, sum(entry)))
}

/// How many of the last of `pieces` are the whole name of an entry with such a sum.
fn length(pieces: &[Piece], sum: u8) -> usize {
    for (piece, number) in pieces.iter().rev().zip(1..LAST) {
        if piece.sum != sum || piece.number & !LAST != number {
            return 0;
        }
        if piece.number & LAST != 0 {
            return usize::from(number);
        }
    }
    0
}

/// Of the short name, as it is on the medium (`ChkSum` of the specification).
fn sum(entry: &Entry<'_>) -> u8 {
    let add = |sum: u8, byte: &u8| sum.rotate_right(1).wrapping_add(*byte);
    entry.0[..11].iter().fold(0, add)
}
