//! Words about preparing a device.

use super::Word;

/// How a device is prepared (option `mode` of `PrepareDevice`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The whole device is made anew.
    #[default]
    Device,
    /// An existing partition is made anew.
    Partition,
    /// A partition is added behind what is there.
    FreeSpace,
    /// A file is made on the filesystem that is there.
    Loopback,
}

impl Word for Mode {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Device, "device"),
        (Self::Partition, "partition"),
        (Self::FreeSpace, "free-space"),
        (Self::Loopback, "loopback"),
    ];
}
