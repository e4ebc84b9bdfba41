//! How many bytes of a filesystem are in use, read from its own counters without mounting it.
//!
//! For telling people what they are about to lose: a filesystem that was pulled out while mounted
//! may count a little wrong, and a forged one may count anything.

/// Where ext2, ext3 and ext4 keep their superblock, in bytes.
pub const EXT_SUPERBLOCK: u64 = 1024;

/// Bytes in use according to an ext superblock (kernel documentation, ext4/globals.rst).
pub fn ext(superblock: &[u8]) -> Option<u64> {
    if u16_at(superblock, 0x38)? != 0xEF53 {
        return None;
    }
    let wide = u32_at(superblock, 0x60)? & 0x80 != 0;
    let count = |low, high| -> Option<u64> {
        let upper = if wide {
            u64::from(u32_at(superblock, high)?) << 32
        } else {
            0
        };
        Some(upper | u64::from(u32_at(superblock, low)?))
    };
    let used = count(0x04, 0x150)?.checked_sub(count(0x0C, 0x158)?)?;
    let block = 1024_u64.checked_shl(u32_at(superblock, 0x18)?.min(32))?;
    used.checked_mul(block)
}

/// The sector in which a FAT32 filesystem counts its free clusters, and the size of a sector.
pub fn fat_counter(boot: &[u8]) -> Option<(u64, u64)> {
    let sector = u64::from(u16_at(boot, 0x0B)?);
    // A FAT32 has no 16 bit count of sectors per table.
    let is_fat32 = u16_at(boot, 0x16)? == 0 && sector.is_power_of_two() && sector >= 512;
    is_fat32.then_some((u64::from(u16_at(boot, 0x30)?), sector))
}

/// Bytes in use according to that sector (Microsoft FAT specification, FSInfo structure).
pub fn fat(boot: &[u8], counter: &[u8]) -> Option<u64> {
    let free = u32_at(counter, 0x1E8)?;
    if u32_at(counter, 0)? != 0x4161_5252 || free == u32::MAX {
        return None;
    }
    let (_, sector) = fat_counter(boot)?;
    let cluster = sector * u64::from(*boot.get(0x0D)?);
    let size = sector * u64::from(u32_at(boot, 0x20)?);
    size.checked_sub(u64::from(free) * cluster)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(
        bytes.get(offset..offset + 2)?.try_into().ok()?,
    ))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        bytes.get(offset..offset + 4)?.try_into().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ext_counters_are_read_in_both_widths() {
        let mut superblock = vec![0; 1024];
        superblock[0x38..0x3A].copy_from_slice(&[0x53, 0xEF]);
        superblock[0x04..0x08].copy_from_slice(&1000_u32.to_le_bytes());
        superblock[0x0C..0x10].copy_from_slice(&400_u32.to_le_bytes());
        superblock[0x18] = 2;
        assert_eq!(ext(&superblock), Some(600 * 4096));
        superblock[0x150] = 1;
        assert_eq!(ext(&superblock), Some(600 * 4096));
        superblock[0x60] = 0x80;
        assert_eq!(ext(&superblock), Some(((1 << 32) + 600) * 4096));
    }

    #[test]
    fn forged_counters_tell_nothing() {
        let mut superblock = vec![0xFF; 1024];
        superblock[0x38..0x3A].copy_from_slice(&[0x53, 0xEF]);
        assert_eq!(ext(&superblock), Some(0));
        superblock[0x04] = 0;
        superblock[0x60] = 0;
        assert_eq!(ext(&superblock), None);
        assert_eq!(ext(&superblock[..0x100]), None);
        assert_eq!(ext(&[]), None);
    }

    #[test]
    fn fat_counters_are_read() {
        let mut boot = vec![0; 512];
        boot[0x0B..0x0D].copy_from_slice(&512_u16.to_le_bytes());
        boot[0x0D] = 8;
        boot[0x20..0x24].copy_from_slice(&2048_u32.to_le_bytes());
        boot[0x30] = 1;
        let mut counter = b"RRaA".to_vec();
        counter.resize(512, 0);
        counter[0x1E8] = 10;
        assert_eq!(fat_counter(&boot), Some((1, 512)));
        assert_eq!(fat(&boot, &counter), Some(2048 * 512 - 10 * 8 * 512));
        counter[0x1E8..0x1EC].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(fat(&boot, &counter), None);
    }
}
