//! Showing a part of a directory only.

use crate::names::PRIVATE_DIR;
use std::io;

/// What of the top of a directory belongs to the home in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// Everything.
    #[default]
    All,
    /// Everything but one file. It is not there for anyone, and neither is its name.
    Without(&'static str),
    /// The private directory alone: the home waits there until it may come out.
    PrivateOnly,
}

impl Shown {
    /// Whether a path leads to something that belongs to the home; names are compared as FAT does.
    pub(super) fn includes(self, path: &str) -> bool {
        let top = path.split('/').next().unwrap_or_default();
        match self {
            Self::All => true,
            Self::Without(name) => !top.eq_ignore_ascii_case(name),
            Self::PrivateOnly => top.is_empty() || top.eq_ignore_ascii_case(PRIVATE_DIR),
        }
    }

    pub(super) fn require(self, path: &str) -> io::Result<()> {
        if self.includes(path) {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}
