//! Words about the running system.

use super::Word;

/// What becomes of the changes to the running system (`org.ubuntu.Wendy.State`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// In memory only, lost at shutdown.
    Volatile,
    /// Written to a store as they happen.
    Persistent,
    /// Nothing can be changed.
    ReadOnly,
    /// No room for more changes.
    Full,
    /// The layer of changes does not work any more.
    Failed,
    /// Not a live system.
    #[default]
    NotLive,
}

impl Word for State {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Volatile, "volatile"),
        (Self::Persistent, "persistent"),
        (Self::ReadOnly, "read-only"),
        (Self::Full, "full"),
        (Self::Failed, "failed"),
        (Self::NotLive, "not-live"),
    ];
}

/// Why changes meet with their [`State`] (`org.ubuntu.Wendy.StateReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateReason {
    /// The boot line asks to keep changes, but no medium for them was found.
    NoMedium,
    /// It is not known where they are kept.
    UnknownPlace,
    /// Their filesystem takes no more writes.
    ReadOnlyFilesystem,
    /// Their filesystem is full.
    NoRoom,
    /// Their medium was unplugged.
    MediumGone,
    /// They cannot be reached.
    Unreachable,
    /// No live system was recognised.
    NotRecognised,
}

impl Word for StateReason {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::NoMedium, "no-medium"),
        (Self::UnknownPlace, "unknown-place"),
        (Self::ReadOnlyFilesystem, "read-only-filesystem"),
        (Self::NoRoom, "no-room"),
        (Self::MediumGone, "medium-gone"),
        (Self::Unreachable, "unreachable"),
        (Self::NotRecognised, "not-recognised"),
    ];
}
