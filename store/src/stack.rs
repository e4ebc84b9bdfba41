//! The live stacks a session can belong to, and the kinds of upper layer they keep.

use std::{fmt, str::FromStr};

/// The program family that boots the live system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stack {
    /// Ubuntu's casper.
    Casper,
    /// Debian's live-boot.
    LiveBoot,
    /// dracut's dmsquash-live (Fedora and relatives).
    Dracut,
}

/// How the changes of a session are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpperKind {
    /// A directory that is the upper layer of an overlayfs.
    Overlayfs,
    /// The copy-on-write store of a device-mapper snapshot.
    DmSnapshot,
}

/// A word that names no known stack or kind of upper layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a kind known to this version of wendy")]
pub struct UnknownKind;

impl Stack {
    /// Every stack.
    pub const ALL: [Self; 3] = [Self::Casper, Self::LiveBoot, Self::Dracut];

    /// The word used in records and on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Casper => "casper",
            Self::LiveBoot => "live-boot",
            Self::Dracut => "dracut",
        }
    }
}

impl UpperKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Overlayfs, Self::DmSnapshot];

    /// The word used in records and on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overlayfs => "overlayfs",
            Self::DmSnapshot => "dm-snapshot",
        }
    }
}

impl FromStr for Stack {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|stack| stack.as_str() == text)
            .ok_or(UnknownKind)
    }
}

impl FromStr for UpperKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKind)
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(out)
    }
}

impl fmt::Display for UpperKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(out)
    }
}
