//! What a caller asks for.

use std::{fmt, str::FromStr};

use crate::engine::{Error, Result, Token};

/// How a device is turned into a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The whole disk: a new partition table with one partition.
    Device,
    /// A partition that exists: a new filesystem in it.
    Partition,
    /// The room behind what is on the disk, such as a live image written to it: one more partition.
    FreeSpace,
    /// An image file on a filesystem whose files stay.
    Loopback,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 4] = [
        Mode::Device,
        Mode::Partition,
        Mode::FreeSpace,
        Mode::Loopback,
    ];

    /// The word used on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Device => "device",
            Mode::Partition => "partition",
            Mode::FreeSpace => "free-space",
            Mode::Loopback => "loopback",
        }
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Mode> {
        let known = Mode::ALL.into_iter().find(|mode| mode.as_str() == text);
        known.ok_or_else(|| {
            Error::NotSupported(format!("there is no way {text:?} to prepare a device"))
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The options of a prepare.
#[derive(Debug, Clone)]
pub struct PrepareRequest {
    /// How the device is turned into a store.
    pub mode: Mode,
    /// What the store will be called.
    pub name: String,
    /// Bytes for the store; all there is room for without it.
    pub size: Option<u64>,
    /// Type of the filesystem; only `ext4`, which is also what is taken without it.
    pub filesystem: Option<String>,
    /// Consent to lose what the plan lists.
    pub token: Option<Token>,
}
