//! FAT on a device that is not mounted: what a pulled plug leaves and fsck.fat makes worse, or leaves.
//!
//! A driver writes a new directory's entry and its cluster in any order. When the plug is pulled in
//! between, the entry leads to a cluster that still holds whatever was there before. No driver takes
//! that for a directory: Linux sets the whole filesystem read-only when it meets one
//! (linux/fs/fat/inode.c, `fat_validate_dir`). fsck.fat takes what the cluster holds for entries,
//! may cut other files that own the clusters these name, and keeps the directory.
//!
//! So such entries are removed before, which is what the medium would be had they not been written
//! either. Nothing else is touched: the cluster may belong to another file by now.
//!
//! An entry and the pieces of its long name before it may be in two sectors, only one of which was
//! written. All systems ignore pieces that do not belong to the entry after them (linux/fs/fat/dir.c,
//! `fat_parse_long`), and fsck.fat leaves them: they stay when the entry is removed, and make the
//! filesystem one that is not in order. They are removed too, which changes no name.
//!
//! Source of all facts: Microsoft, *FAT: General Overview of On-Disk Format*, 1.03.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

mod entry;
mod geometry;
mod long_name;

use entry::{Entry, SIZE};
use geometry::Geometry;
use long_name::Piece;

/// First byte of an entry that is free.
const DELETED: u8 = 0xe5;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Directories that were never written.
    pub directories: usize,
    /// Pieces of long names that belong to no entry.
    pub pieces: usize,
}

/// Removes what was written in half: entries of directories that never were, and pieces of long names
/// without their entry.
///
/// # Errors
/// Those of the device; `InvalidData` where there is no FAT on it.
pub fn remove_half_written(device: &File) -> io::Result<Removed> {
    let geometry = Geometry::read(device)?;
    let mut walk = Walk {
        device,
        seen: vec![0; geometry.clusters as usize / 64 + 1],
        geometry,
        open: Vec::new(),
        removed: Removed::default(),
    };
    let (root, in_clusters) = (walk.geometry.root_area(), walk.geometry.root_cluster);
    walk.part(root, &mut Vec::new())?;
    walk.note(in_clusters);
    while let Some(cluster) = walk.open.pop() {
        walk.chain(cluster)?;
    }
    if walk.removed != Removed::default() {
        device.sync_all()?;
    }
    Ok(walk.removed)
}

struct Walk<'a> {
    device: &'a File,
    geometry: Geometry,
    /// One bit for each cluster that is known to be of a directory: damaged chains lead in circles.
    seen: Vec<u64>,
    /// First clusters of directories still to look at.
    open: Vec<u32>,
    removed: Removed,
}

impl Walk<'_> {
    /// Goes through a directory in clusters.
    fn chain(&mut self, first: u32) -> io::Result<()> {
        let (mut cluster, mut pieces) = (first, Vec::new());
        loop {
            let at = self.geometry.offset(cluster);
            self.part((at, self.geometry.cluster), &mut pieces)?;
            cluster = self.geometry.next(self.device, cluster)?;
            if !self.is_new(cluster) {
                return Ok(());
            }
        }
    }

    /// Notes that a directory begins with a cluster.
    fn note(&mut self, first: u32) {
        if self.is_new(first) {
            self.open.push(first);
        }
    }

    /// Whether there is such a cluster and this is the first time that it is met.
    fn is_new(&mut self, cluster: u32) -> bool {
        if !self.geometry.holds(cluster) {
            return false;
        }
        let (word, bit) = ((cluster - 2) as usize / 64, 1 << ((cluster - 2) % 64));
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }

    /// Goes through a part of a directory. `pieces` are those of the long name of the next entry.
    fn part(&mut self, (at, length): (u64, usize), pieces: &mut Vec<Piece>) -> io::Result<()> {
        let mut bytes = vec![0; length];
        self.device.read_exact_at(&mut bytes, at)?;
        for (raw, at) in bytes.chunks_exact(SIZE).zip((at..).step_by(SIZE)) {
            let entry = Entry(raw);
            if entry.is_free() {
                pieces.clear();
            } else if entry.is_long_name() {
                pieces.push(Piece::of(&entry, at));
            } else {
                self.look(&entry, at, pieces)?;
                pieces.clear();
            }
        }
        Ok(())
    }

    fn look(&mut self, entry: &Entry<'_>, at: u64, pieces: &[Piece]) -> io::Result<()> {
        let (of_others, own) = long_name::split(pieces, entry);
        self.remove(of_others.iter().map(|piece| piece.at))?;
        self.removed.pieces += of_others.len();
        let first = self.geometry.first_cluster(entry);
        if !entry.is_directory() || entry.is_dots() || !self.geometry.holds(first) {
            return Ok(());
        }
        if self.is_unwritten(first)? {
            self.remove(own.iter().map(|piece| piece.at).chain([at]))?;
            self.removed.directories += 1;
        } else {
            self.note(first);
        }
        Ok(())
    }

    fn remove(&self, mut entries: impl Iterator<Item = u64>) -> io::Result<()> {
        entries.try_for_each(|at| self.device.write_all_at(&[DELETED], at))
    }

    /// Whether what is in a directory's first cluster was never written as a directory: it does not
    /// begin as all do, and holds what no system writes. All zeros fsck.fat brings in order.
    fn is_unwritten(&self, first: u32) -> io::Result<bool> {
        let mut bytes = vec![0; self.geometry.cluster];
        let at = self.geometry.offset(first);
        self.device.read_exact_at(&mut bytes, at)?;
        let mut entries = bytes.chunks_exact(SIZE).map(Entry);
        if entries.by_ref().take(2).all(|entry| entry.is_dots()) {
            return Ok(false);
        }
        let mut entries = bytes.chunks_exact(SIZE).map(Entry);
        Ok(entries.any(|entry| !entry.is_plausible(self.geometry.clusters)))
    }
}
