//! How far an image reaches that was written to the start of a disk (ECMA-119).

use std::ops::Range;

use wendy_sys::block::BlockDevice;

const SECTOR: u64 = 2048;
/// The volume descriptors begin behind the system area (6.2.1).
const DESCRIPTORS: u64 = 16 * SECTOR;
/// How the primary one begins (8.4.1, 8.4.2).
const PRIMARY: &[u8] = b"\x01CD001";
/// Its number of blocks (8.4.8); the same follows in the other order of bytes.
const BLOCKS: Range<usize> = 80..84;
/// The size of a block (8.4.12), as well.
const BLOCK_SIZE: Range<usize> = 128..130;

/// The end of an ISO 9660 image by its own account, or 0. Its descriptor is looked for itself:
/// whatever else is on the disk, a partition table for one, can hide it from libblkid.
pub(super) fn image_end(device: &BlockDevice) -> u64 {
    let Ok(descriptor) = device.read_at(DESCRIPTORS, SECTOR) else {
        return 0;
    };
    if !descriptor.starts_with(PRIMARY) {
        return 0;
    }
    let (blocks, size) = (number(&descriptor, BLOCKS), number(&descriptor, BLOCK_SIZE));
    blocks.saturating_mul(size).min(device.identity().size)
}

/// A number whose lowest byte comes first.
fn number(descriptor: &[u8], place: Range<usize>) -> u64 {
    let bytes = descriptor.get(place).unwrap_or_default().iter();
    bytes
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
