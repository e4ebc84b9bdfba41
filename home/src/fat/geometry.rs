//! Where on a FAT filesystem what is.

use super::entry::{Entry, SIZE};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// A filesystem with fewer clusters is FAT12, or else FAT16.
const FAT12_BELOW: u32 = 4085;
const FAT16_BELOW: u32 = 65525;
/// Most clusters of FAT32, whose entries have 28 bits.
const CLUSTERS_MAX: u32 = 0x0fff_fff5;

/// Bits of an entry in the table of chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Fat12,
    Fat16,
    Fat32,
}

/// The layout, as the boot sector has it.
#[derive(Debug)]
pub struct Geometry {
    width: Width,
    /// Bytes of a cluster.
    pub cluster: usize,
    /// Number of clusters. They count from 2.
    pub clusters: u32,
    /// Where the root directory begins on FAT32; 0, which is no cluster, on others.
    pub root_cluster: u32,
    /// Byte offsets.
    table: u64,
    root: u64,
    data: u64,
}

impl Geometry {
    /// Reads it from the boot sector.
    ///
    /// # Errors
    /// Those of reading; `InvalidData` if there is no FAT.
    pub fn read(device: &File) -> io::Result<Self> {
        let mut boot = [0; 512];
        device.read_exact_at(&mut boot, 0)?;
        Self::parse(&boot).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no FAT"))
    }

    fn parse(boot: &[u8; 512]) -> Option<Self> {
        let half = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let word = |at: usize| half(at + 2) << 16 | half(at);
        // The later field counts where the one of 16 bits is 0.
        let either = |short: u64, long: u64| if short == 0 { long } else { short };
        let (sector, per_cluster) = (half(11), u64::from(boot[13]));
        if !matches!(sector, 512 | 1024 | 2048 | 4096) || !per_cluster.is_power_of_two() {
            return None;
        }
        let (table_length, copies) = (either(half(22), word(36)), u64::from(boot[16]));
        let table = half(14);
        let root = table + copies * table_length;
        let root_length = (half(17) * SIZE as u64).div_ceil(sector);
        let data = root + root_length;
        let clusters = either(half(19), word(32)).checked_sub(data)? / per_cluster;
        let clusters = u32::try_from(clusters).ok()?;
        let width = match clusters {
            1..FAT12_BELOW => Width::Fat12,
            FAT12_BELOW..FAT16_BELOW => Width::Fat16,
            FAT16_BELOW..CLUSTERS_MAX => Width::Fat32,
            _ => return None,
        };
        // Whatever the number of clusters, FAT32 alone has no short length of the table.
        let width = if half(22) == 0 { Width::Fat32 } else { width };
        Some(Self {
            width,
            cluster: usize::try_from(sector * per_cluster).ok()?,
            clusters,
            root_cluster: if width == Width::Fat32 {
                u32::try_from(word(44)).ok()?
            } else {
                0
            },
            table: table * sector,
            root: root * sector,
            data: data * sector,
        })
    }

    /// Offset and length of the root directory; nothing on FAT32, where it is in clusters.
    pub fn root_area(&self) -> (u64, usize) {
        let length = usize::try_from(self.data - self.root).unwrap_or(0);
        (self.root, length)
    }

    /// Whether there is such a cluster. What ends a chain is none.
    pub fn holds(&self, cluster: u32) -> bool {
        (2..self.clusters + 2).contains(&cluster)
    }

    /// Where a cluster begins.
    pub fn offset(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster - 2) * self.cluster as u64
    }

    /// The first cluster of an entry.
    pub fn first_cluster(&self, entry: &Entry<'_>) -> u32 {
        match self.width {
            Width::Fat32 => entry.first_cluster(),
            _ => entry.first_cluster() & 0xffff,
        }
    }

    /// What comes after a cluster in its chain.
    ///
    /// # Errors
    /// Those of reading.
    pub fn next(&self, device: &File, cluster: u32) -> io::Result<u32> {
        let (cluster, half) = (u64::from(cluster), u64::from(cluster / 2));
        let at = match self.width {
            Width::Fat12 => cluster + half,
            Width::Fat16 => cluster * 2,
            Width::Fat32 => cluster * 4,
        };
        let mut bytes = [0; 4];
        let length = if self.width == Width::Fat32 { 4 } else { 2 };
        device.read_exact_at(&mut bytes[..length], self.table + at)?;
        let entry = u32::from_le_bytes(bytes);
        Ok(match self.width {
            Width::Fat12 if cluster % 2 == 1 => entry >> 4,
            Width::Fat12 => entry & 0x0fff,
            Width::Fat16 => entry,
            Width::Fat32 => entry & 0x0fff_ffff,
        })
    }
}
