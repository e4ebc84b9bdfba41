//! Live stacks by name.

/// A family of live systems: who assembles the root filesystem at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stack {
    /// Ubuntu's casper.
    Casper,
    /// Debian's live-boot.
    LiveBoot,
    /// dracut's dmsquash-live.
    Dracut,
}

impl Stack {
    /// The word used on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Stack::Casper => "casper",
            Stack::LiveBoot => "live-boot",
            Stack::Dracut => "dracut",
        }
    }
}

/// How a stack keeps the changes made to a read-only image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpperKind {
    /// A directory tree on top of the image.
    Overlayfs,
    /// Changed blocks beside the image.
    DmSnapshot,
}

impl UpperKind {
    /// The word used on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            UpperKind::Overlayfs => "overlayfs",
            UpperKind::DmSnapshot => "dm-snapshot",
        }
    }
}
