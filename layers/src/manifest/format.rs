//! The bytes of a manifest.
//!
//! [`MAGIC`], then records of kind, parent's number (4 bytes), hash (8), length of the name (1), name.
//! Directories are numbered from 0 in the order of their records; the first record is the top of
//! the tree, its own parent and without a name. The last record has kind [`END`], the number of the
//! records before it (8) and the XXH3 checksum of all bytes before that (8). Little endian.

pub(crate) const MAGIC: &[u8; 8] = b"wendymf1";
pub(crate) const DIRECTORY: u8 = b'd';
pub(crate) const OTHER: u8 = b'f';
pub(crate) const END: u8 = b'.';

/// Longest name of an entry (`NAME_MAX`).
pub(crate) const NAME_MAX: usize = 255;
