//! The marks by which filesystems are known, without believing any of them.

use std::{fs::File, io, os::unix::fs::FileExt};

/// A filesystem, where its mark is in bytes from the start, and the mark. From the superblocks in
/// linux/magic.h, linux/msdos_fs.h and the filesystems' own documents.
const KNOWN: [(&str, usize, &[u8]); 12] = [
    ("vfat", 54, b"FAT12   "),
    ("vfat", 54, b"FAT16   "),
    ("vfat", 82, b"FAT32   "),
    ("exfat", 3, b"EXFAT   "),
    ("ntfs", 3, b"NTFS    "),
    ("xfs", 0, b"XFSB"),
    ("squashfs", 0, b"hsqs"),
    ("crypto_LUKS", 0, b"LUKS\xba\xbe"),
    ("ext4", 1080, b"\x53\xef"),
    ("erofs", 1024, b"\xe2\xe1\xf5\xe0"),
    ("iso9660", 32769, b"CD001"),
    ("btrfs", 65600, b"_BHRfS_M"),
];

/// Where the last mark ends.
const HEAD: usize = 65600 + 8;

/// The filesystems that have left their mark on a device, each once.
///
/// # Errors
/// The device cannot be read.
pub fn on(device: &File) -> io::Result<Vec<String>> {
    let mut head = Vec::new();
    while head.len() < HEAD {
        let mut piece = vec![0; HEAD - head.len()];
        match device.read_at(&mut piece, head.len() as u64)? {
            0 => break,
            read => head.extend_from_slice(&piece[..read]),
        }
    }
    Ok(in_head(&head))
}

fn in_head(head: &[u8]) -> Vec<String> {
    let is_there = |place: usize, mark: &[u8]| head.get(place..place + mark.len()) == Some(mark);
    let found = KNOWN
        .iter()
        .filter(|(_, place, mark)| is_there(*place, mark));
    let mut names: Vec<_> = found.map(|(name, ..)| (*name).to_owned()).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_found_and_none_in_zeros() {
        for (name, place, mark) in KNOWN {
            let mut head = vec![0; HEAD];
            head[place..place + mark.len()].copy_from_slice(mark);
            assert_eq!(in_head(&head), [name]);
        }
        assert!(in_head(&[0; HEAD]).is_empty() && in_head(b"short").is_empty());
    }

    #[test]
    fn what_contradicts_is_all_told() {
        let mut head = vec![0; HEAD];
        head[82..90].copy_from_slice(b"FAT32   ");
        head[1080..1082].copy_from_slice(b"\x53\xef");
        assert_eq!(in_head(&head), ["vfat", "ext4"]);
    }
}
