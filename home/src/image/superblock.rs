//! The superblock of an ext filesystem, as far as one must know it before the kernel reads it
//! (kernel document *ext4: Super Block*).

/// Where it begins in the filesystem, in bytes.
pub const OFFSET: u64 = 1024;
/// Its length in bytes.
pub const SIZE: usize = 1024;

const MAGIC: u16 = 0xef53;
/// `s_state`: unmounted in order.
const VALID: u16 = 1;
/// `s_state`: the kernel has met errors.
const ERRORS: u16 = 2;
/// `s_feature_incompat`: the journal holds what the filesystem does not.
const RECOVER: u32 = 4;
/// `s_feature_incompat`: numbers of blocks have a high half.
const WIDE: u32 = 0x80;
/// Inodes each one has for itself.
const OWN_INODES: u32 = 10;

/// What a filesystem says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Identity, that of the home.
    pub uuid: [u8; 16],
    /// Whether it was unmounted in order and nothing is known to be wrong.
    pub clean: bool,
    /// Size in bytes.
    pub size: u64,
    /// Free bytes, as of when it was last unmounted.
    pub free: u64,
    /// Files, directories and others, as of when it was last unmounted.
    pub inodes: u32,
    /// How often it was mounted since it was last checked as a whole.
    pub mounts: u16,
}

impl Superblock {
    /// Reads one; `None` if it is none.
    #[must_use]
    pub fn parse(bytes: &[u8; SIZE]) -> Option<Self> {
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        if u16_at(0x38) != MAGIC {
            return None;
        }
        let (state, incompatible) = (u16_at(0x3a), u32_at(0x60));
        let wide = |low: usize, high: usize| {
            let high = if incompatible & WIDE != 0 {
                u32_at(high)
            } else {
                0
            };
            u64::from(u32_at(low)) | u64::from(high) << 32
        };
        // No filesystem has blocks beyond 64 KiB.
        let block = 1024u64 << u32_at(0x18).min(6);
        let bytes_of = |blocks: u64| blocks.saturating_mul(block);
        let used = u32_at(0x00).saturating_sub(u32_at(0x10));
        Some(Self {
            uuid: bytes[0x68..0x78].try_into().ok()?,
            clean: state & (VALID | ERRORS) == VALID && incompatible & RECOVER == 0,
            size: bytes_of(wide(0x04, 0x150)),
            free: bytes_of(wide(0x0c, 0x158)),
            inodes: used.saturating_sub(OWN_INODES),
            mounts: u16_at(0x34),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn anything_can_be_read(mut bytes in proptest::collection::vec(any::<u8>(), SIZE)) {
            bytes[0x38..0x3a].copy_from_slice(&MAGIC.to_le_bytes());
            prop_assert!(Superblock::parse(&bytes.try_into().unwrap()).is_some());
        }
    }

    #[test]
    fn what_has_no_magic_is_none() {
        assert_eq!(Superblock::parse(&[0; SIZE]), None);
    }
}
