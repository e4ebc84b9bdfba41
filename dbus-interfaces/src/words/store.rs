//! Words about stores and the sessions on them.

use super::Word;

/// What is wrong with a store (`Store.Problem`); nothing wrong is the empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The medium is write-protected.
    ReadOnly,
    /// Made by a newer version of wendy.
    NewerFormat,
    /// Its record cannot be understood.
    Corrupt,
    /// Its filesystem needs a check.
    Dirty,
    /// It cannot be read.
    Unreadable,
}

impl Word for Problem {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::ReadOnly, "read-only"),
        (Self::NewerFormat, "newer-format"),
        (Self::Corrupt, "corrupt"),
        (Self::Dirty, "dirty"),
        (Self::Unreadable, "unreadable"),
    ];
}

/// State of a saved session (`Session.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// It has a good generation.
    Complete,
    /// Its first save never finished.
    Incomplete,
    /// The running system was booted from it.
    Running,
}

impl Word for SessionState {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Complete, "complete"),
        (Self::Incomplete, "incomplete"),
        (Self::Running, "running"),
    ];
}
