//! What can go wrong while a tree is copied, and the name of the entry it went wrong at.
//!
//! Names in an upper are bytes: newlines, terminal escapes and invalid UTF-8 are legal in them.
//! [`EntryPath`] is the only way they reach a message, and it escapes all of these.

use std::ffi::CStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a tree could not be copied, compared or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller asked to stop; what was written so far is incomplete.
    #[error("cancelled")]
    Cancelled,
    /// The destination is full (`ENOSPC`, `EDQUOT`).
    #[error("no space left while writing {path}: free some space there or choose a larger device")]
    NoSpace {
        /// The entry that did not fit.
        path: EntryPath,
    },
    /// The destination filesystem cannot hold an extended attribute of an entry.
    #[error(
        "the destination cannot hold the attribute {attribute} ({size} bytes) of {path}: \
         format it as ext4 with the feature ea_inode, btrfs or xfs ({source})"
    )]
    Attribute {
        /// The entry that carries the attribute.
        path: EntryPath,
        /// Full name of the attribute, for instance `user.note`.
        attribute: String,
        /// Length of its value in bytes.
        size: usize,
        /// What the kernel said.
        source: Errno,
    },
    /// The source could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The entry in the source.
        path: EntryPath,
        /// What the kernel said.
        source: Errno,
    },
    /// The destination could not be written.
    #[error("cannot write {path}: {source}; check the device")]
    Write {
        /// The entry in the destination.
        path: EntryPath,
        /// What the kernel said.
        source: Errno,
    },
    /// An exclude pattern is not usable.
    #[error("exclude pattern {pattern:?} is not usable: {reason}")]
    Exclude {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A saved index is damaged or of another version; copy without it.
    #[error("the saved index is not usable ({reason}): save without it")]
    Index {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A manifest is damaged or of another version.
    #[error("the manifest is not usable ({reason}): save again to get a new one")]
    Manifest {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Reading or writing an index or a manifest failed.
    #[error("cannot transfer the {what}: {source}")]
    Stream {
        /// `index` or `manifest`.
        what: &'static str,
        /// The failure of the reader or writer handed in.
        source: std::io::Error,
    },
}

impl Error {
    /// A failure to read the entry `path` of the source.
    pub(crate) fn read(path: EntryPath, source: Errno) -> Self {
        Self::Read { path, source }
    }

    /// A failure to write the entry `path` of the destination.
    pub(crate) fn write(path: EntryPath, source: Errno) -> Self {
        match source {
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace { path },
            source => Self::Write { path, source },
        }
    }
}

/// Path of an entry relative to the top of its tree, as the bytes it is made of.
///
/// Displays with every control character, quote, backslash and invalid byte escaped, and with the
/// middle of a very long path left out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(Vec<u8>);

impl EntryPath {
    /// The bytes of `path`; empty for the top of the tree.
    pub fn new(path: impl Into<Vec<u8>>) -> Self {
        Self(path.into())
    }

    /// The path as the standard library knows it.
    pub fn as_path(&self) -> &Path {
        Path::new(std::ffi::OsStr::from_bytes(&self.0))
    }

    /// The path's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends one name.
    pub(crate) fn push(&mut self, name: &CStr) {
        if !self.0.is_empty() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name.to_bytes());
    }
}

/// Longest part of a path shown at either end of a message, in bytes.
const SHOWN: usize = 2048;

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = if self.0.is_empty() { b"." } else { &self.0[..] };
        if bytes.len() <= 2 * SHOWN {
            return write!(f, "\"{}\"", Escaped(bytes));
        }
        let (head, tail) = (&bytes[..SHOWN], &bytes[bytes.len() - SHOWN..]);
        write!(f, "\"{}…{}\"", Escaped(head), Escaped(tail))
    }
}

impl fmt::Debug for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '"' | '\\' => write!(f, "\\{c}")?,
                    c if c.is_control() || is_invisible(c) => write!(f, "{}", c.escape_default())?,
                    c => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Characters that reorder or hide the text around them on a terminal.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "\".\""),
            (b"etc/motd", "\"etc/motd\""),
            (b"a\nb\x1b[31m", "\"a\\nb\\u{1b}[31m\""),
            (b"\xff\"\\", "\"\\xff\\\"\\\\\""),
            ("\u{202e}gpj".as_bytes(), "\"\\u{202e}gpj\""),
        ];
        for (bytes, shown) in cases {
            assert_eq!(EntryPath::new(bytes).to_string(), shown);
        }
    }

    #[test]
    fn long_paths_lose_their_middle() {
        let shown = EntryPath::new(vec![b'x'; 100_000]).to_string();
        assert!(shown.len() < 5000 && shown.contains('…'));
    }

    #[test]
    fn full_destinations_have_a_name_of_their_own() {
        let path = EntryPath::new("f");
        assert!(matches!(
            Error::write(path.clone(), Errno::NOSPC),
            Error::NoSpace { .. }
        ));
        assert!(matches!(Error::write(path, Errno::IO), Error::Write { .. }));
    }
}
