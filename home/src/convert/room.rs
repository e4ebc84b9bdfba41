//! How much room a home takes in the other mode.

use super::Result;
use crate::home::Home;
use crate::ids::Ino;
use crate::image::ImageError;
use crate::image::making::{Plan, UNIT};
use crate::import::directory;
use crate::medium::Medium as _;
use crate::medium::directory::DirectoryMedium;
use crate::record::Kind;
use crate::store::LOG_SIZE;
use crate::table::Table;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};

const MIB: u64 = 1 << 20;
/// Bytes of an inode of ext4.
const INODE: u64 = 256;
/// What of an inode's attributes ext4 keeps in it.
const INLINE: u64 = 96;
/// Bytes of an entry beside its name, in a directory of ext4 and, as a slot, on FAT.
const ENTRY: u64 = 16;
const SLOTS: u64 = 32 * 21;
/// Bytes of an inode in a checkpoint.
const RECORDS: u64 = 320;
/// What an image that is made without a size has free on FAT at least besides.
const SPARE: u64 = 4 * MIB;

/// An image for a home, as large as asked for, or else twice what it needs as far as that fits.
///
/// # Errors
/// [`ImageError::Size`], [`ImageError::NoRoom`].
pub(super) fn image(
    home: &Home<DirectoryMedium>,
    medium: &DirectoryMedium,
    size: Option<u64>,
    id: [u8; 16],
) -> Result<Plan> {
    let (payload, inodes) = home.with_table(|table| payload(table, medium));
    let least = least_image(payload, inodes);
    let free = medium.space()?.free;
    if let Some(size) = size.filter(|size| *size < least) {
        return Err(ImageError::Size(format!(
            "{} are too few: what is in the home needs {}MiB",
            wendy_text::size(size),
            least.div_ceil(MIB)
        ))
        .into());
    }
    let fits = free.saturating_sub(SPARE).min(medium.file_max());
    let size = size.unwrap_or_else(|| least.saturating_mul(2).min(fits).max(least));
    let options = home.options();
    let plan = Plan {
        size: size
            .next_multiple_of(UNIT)
            .min(medium.file_max() / UNIT * UNIT)
            .max(least),
        id,
        owner: (options.uid, options.gid),
        inodes: inodes * 2 + 1024,
    };
    Ok(plan.fitted(medium)?)
}

/// The smallest image that surely holds so many bytes in blocks and so many inodes.
fn least_image(payload: u64, inodes: u64) -> u64 {
    let content = payload + payload / 16 + (inodes * 2 + 1024) * INODE + 8 * MIB;
    // As mke2fs(8) chooses the size of the journal.
    let journal = match content / MIB {
        0..100 => 4,
        100..900 => 16,
        900..1900 => 32,
        1900..15000 => 64,
        _ => 1024,
    };
    (content + journal * MIB).next_multiple_of(MIB)
}

/// Bytes in blocks and number of inodes of all that is in a home.
fn payload(table: &Table, medium: &DirectoryMedium) -> (u64, u64) {
    let blocks = |bytes: u64| bytes.next_multiple_of(UNIT);
    let (mut bytes, mut count) = (0, 0);
    for ino in table.inodes() {
        let Some(inode) = table.inode(ino) else {
            continue;
        };
        count += 1;
        bytes += match inode.kind {
            // Holes stay holes.
            Kind::File => blocks(inode.size.min(allocated(table, medium, ino))),
            Kind::Directory => {
                let entries = table.entries(ino).into_iter().flatten();
                let names: u64 = entries.map(|(name, _)| name.len() as u64 + ENTRY).sum();
                // Half full, as directories with an index are.
                blocks(names * 2).max(UNIT)
            }
            Kind::Symlink => blocks(inode.size),
            _ => 0,
        };
        let attributes = table.xattrs(ino).into_iter().flatten();
        let attributes: u64 = attributes
            .map(|(name, value)| (name.len() + value.len()) as u64)
            .sum();
        bytes += if attributes > INLINE {
            blocks(attributes) + UNIT
        } else {
            0
        };
    }
    (bytes, count)
}

/// What the parts of a file take on the medium.
fn allocated(table: &Table, medium: &DirectoryMedium, ino: Ino) -> u64 {
    let parts = table.lower(ino).map_or(0, |lower| lower.parts);
    let paths = (1..=parts).filter_map(|number| table.part_path(ino, number));
    paths
        .filter_map(|path| Some(medium.facts(&path).ok()?.allocated))
        .sum()
}

/// Makes sure that there is room on the medium for the files in the directory `top`.
///
/// # Errors
/// [`ImageError::NoRoom`], those of reading the directory.
pub(super) fn files(medium: &DirectoryMedium, top: impl AsFd) -> Result<()> {
    let space = medium.space()?;
    let cluster = u64::from(space.block).max(512);
    let top = openat(top, ".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    // Each checkpoint file has room for what its log may add.
    let store = 2 * (LOG_SIZE + LOG_SIZE);
    let needed = tree(top, cluster)? + store + SPARE;
    if needed > space.free {
        let free = space.free;
        return Err(ImageError::NoRoom { needed, free }.into());
    }
    Ok(())
}

/// Bytes in clusters of all that is below a directory, and of what is noted about it.
fn tree(top: OwnedFd, cluster: u64) -> Result<u64> {
    let (mut open, mut needed, mut linked) = (vec![top], 0, HashSet::new());
    while let Some(dir) = open.pop() {
        let mut slots: u64 = 0;
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = statat(&dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
            slots += SLOTS;
            needed += 2 * RECORDS;
            let first = stat.st_nlink == 1 || linked.insert(stat.st_ino);
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
                    open.push(openat(&dir, entry.file_name(), flags, Mode::empty())?);
                }
                FileType::RegularFile if first => {
                    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
                    let file = openat(&dir, entry.file_name(), flags, Mode::empty())?;
                    needed += directory::data_end(&file, &stat).next_multiple_of(cluster);
                }
                _ => {}
            }
        }
        needed += slots.next_multiple_of(cluster).max(cluster);
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_image_grows_with_what_is_in_it() {
        let sizes: Vec<u64> = (0..14)
            .map(|power| least_image(MIB << power, 100))
            .collect();
        assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]), "{sizes:?}");
        assert!(sizes[0] >= crate::image::making::LEAST - 4 * MIB);
    }
}
