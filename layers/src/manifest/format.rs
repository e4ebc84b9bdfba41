//! The bytes of a manifest.
//!
//! The magic number, then records of kind, parent's number (4 bytes), hash (8), length of the name (1),
//! name. Directories are numbered from 0 in the order of their records; the first record is the top of
//! the tree, its own parent and without a name. The last record has kind [`END`], the number of the
//! records before it (8) and the XXH3 checksum of all bytes before that (8). Little endian.

use crate::Error;
use crate::summed::Format;

pub(crate) const FORMAT: Format = Format {
    what: "manifest",
    magic: b"wendymf1",
    damaged,
};

pub(crate) const DIRECTORY: u8 = b'd';
pub(crate) const OTHER: u8 = b'f';
pub(crate) const END: u8 = b'.';

/// Longest name of an entry (`NAME_MAX`).
pub(crate) const NAME_MAX: usize = 255;

pub(crate) fn damaged(reason: &'static str) -> Error {
    Error::Manifest { reason }
}
