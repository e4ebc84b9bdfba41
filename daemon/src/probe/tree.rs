//! A tree of files, whoever reads it: the few questions the probe asks.
//!
//! Paths are relative to the root of the tree and written in the program, never taken from the
//! medium except for single names that were checked. No answer follows a symbolic link.

use std::fs::File;

use super::report::{Kind, Space};

/// A filesystem that is being looked at. Whatever cannot be read is not there.
pub trait Tree {
    /// The entries of a directory, not more than `most`, and whether there were more.
    fn entries(&self, path: &str, most: usize) -> (Vec<(String, Kind)>, bool);

    /// What is at `path`.
    fn kind(&self, path: &str) -> Option<Kind>;

    /// The content of a regular file; an error if it has more than `most` bytes.
    fn read(&self, path: &str, most: usize) -> Option<Result<Vec<u8>, TooLarge>>;

    /// The target of a symbolic link.
    fn link(&self, path: &str) -> Option<String>;

    /// A regular file, open for reading, where that is possible.
    fn open(&self, path: &str) -> Option<File>;

    /// Room on the filesystem.
    fn space(&self) -> Space;

    /// Whether it was left in order.
    fn clean(&self) -> bool;

    /// Whether the kernel noted errors in it.
    fn needs_check(&self) -> bool;
}

/// A file has more bytes than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;
