//! Words about stores and the sessions on them.

use super::Word;

/// How a store lies on its device (`Store.Kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// The device's own filesystem.
    Filesystem,
    /// In an image file on another filesystem.
    Image,
    /// Inside an encrypted volume.
    Encrypted,
}

impl Word for StoreKind {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Filesystem, "filesystem"),
        (Self::Image, "image"),
        (Self::Encrypted, "encrypted"),
    ];
}

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

/// What a check found a session to be (in the facts of `Store.Check`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Everything is as it was written.
    Complete,
    /// A system was started from it since, so its files have changed rightly; its records and
    /// directories are sound.
    Continued,
    /// Something differs or cannot be read.
    Damaged,
    /// No save of it was ever completed.
    Incomplete,
}

impl Word for Verdict {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Complete, "complete"),
        (Self::Continued, "continued"),
        (Self::Damaged, "damaged"),
        (Self::Incomplete, "incomplete"),
    ];
}
