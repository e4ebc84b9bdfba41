//! One entry of a directory on FAT.

/// Bytes of an entry.
pub const SIZE: usize = 32;

const VOLUME: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
/// Attributes of a piece of a long name, and those that count for that.
const LONG_NAME: u8 = 0x0f;
const LONG_NAME_MASK: u8 = 0x3f;
const RESERVED: u8 = 0xc0;
/// In `DIR_NTRes`: base and extension are in lower case (linux/msdos_fs.h, `CASE_LOWER_BASE`).
const LOWER_CASE: u8 = 0x18;

/// An entry, [`SIZE`] bytes.
#[derive(Debug)]
pub struct Entry<'a>(pub &'a [u8]);

impl Entry<'_> {
    /// Whether it holds nothing.
    pub fn is_free(&self) -> bool {
        matches!(self.0[0], 0 | super::DELETED)
    }

    /// Whether it is a piece of the long name of the entry that comes after it.
    pub fn is_long_name(&self) -> bool {
        self.0[11] & LONG_NAME_MASK == LONG_NAME
    }

    pub fn is_directory(&self) -> bool {
        self.0[11] & (DIRECTORY | VOLUME) == DIRECTORY
    }

    /// Whether it is one of the two that every directory begins with, `.` and `..`.
    pub fn is_dots(&self) -> bool {
        matches!(&self.0[..11], b".          " | b"..         ") && self.is_directory()
    }

    /// First cluster, whose upper half counts on FAT32 only.
    pub fn first_cluster(&self) -> u32 {
        let half = |at: usize| u32::from(u16::from_le_bytes([self.0[at], self.0[at + 1]]));
        half(20) << 16 | half(26)
    }

    /// Whether any system would write it on a medium with so many clusters.
    pub fn is_plausible(&self, clusters: u32) -> bool {
        if self.is_free() {
            return true;
        }
        if self.0[11] & RESERVED != 0 {
            return false;
        }
        if self.is_long_name() {
            // Type and cluster of such a piece are zero.
            return self.0[12] == 0 && self.0[26..28] == [0, 0];
        }
        let low = self.first_cluster() & 0xffff;
        self.is_dots()
            || self.0[12] & !LOWER_CASE == 0
                && self.0[..11]
                    .iter()
                    .skip(1)
                    .all(|byte| may_be_in_name(*byte))
                && (self.0[0] == 0x05 || may_be_in_name(self.0[0]))
                && low != 1
                && (clusters > 0xffff || low < clusters + 2)
    }
}

/// Short names are in upper case and of a code page.
fn may_be_in_name(byte: u8) -> bool {
    match byte {
        b'a'..=b'z' | 0..=0x1f | 0x7f => false,
        other => !br#""*+,./:;<=>?[\]|"#.contains(&other),
    }
}
