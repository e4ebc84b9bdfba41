//! The number by which the kernel knows a device.

use std::{fmt, str::FromStr};

use rustix::fs::{major, makedev, minor};

use crate::Error;

/// A device number, `major:minor`; the number of a partition differs from that of its disk.
///
/// Numbers are used again after a device is gone: only together with a disk sequence number do
/// they name one medium, see [`Identity`](crate::block::Identity).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevNum(u64);

impl DevNum {
    /// From the form that `stat` and libudev use (`dev_t`).
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// From its two halves.
    pub fn from_parts(major: u32, minor: u32) -> Self {
        Self(makedev(major, minor))
    }

    /// The form that `stat` and libudev use (`dev_t`).
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The driver's half.
    pub fn major(self) -> u32 {
        major(self.0)
    }

    /// The device's half.
    pub fn minor(self) -> u32 {
        minor(self.0)
    }
}

impl From<u64> for DevNum {
    fn from(raw: u64) -> Self {
        Self(raw)
    }
}

impl fmt::Display for DevNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major(), self.minor())
    }
}

impl fmt::Debug for DevNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DevNum({self})")
    }
}

/// Reads `major:minor`, as sysfs and mountinfo write it.
impl FromStr for DevNum {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::invalid(format!("device number {text:?}"), "not major:minor");
        let (major, minor) = text.split_once(':').ok_or_else(wrong)?;
        let half = |digits: &str| digits.parse::<u32>().map_err(|_| wrong());
        Ok(Self::from_parts(half(major)?, half(minor)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let number: DevNum = "259:1048575".parse().unwrap();
        assert_eq!((number.major(), number.minor()), (259, 1_048_575));
        assert_eq!(number.to_string(), "259:1048575");
        assert_eq!(DevNum::new(number.raw()), number);
    }

    #[test]
    fn refuses_other_text() {
        for text in ["", "8", "8:", ":1", "8:1:2", "8:-1", "8:x"] {
            assert!(text.parse::<DevNum>().is_err(), "{text}");
        }
    }
}
