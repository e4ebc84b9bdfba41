//! Bringing the stick's own filesystem in order before it is used: people pull sticks.

use super::sticks::Stick;
use crate::fat::{self, Removed};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use wendy_sys::{Cancel, Error, tool::Tool};

/// One repair may bring another to light.
const MOST_RUNS: u32 = 4;
/// Exit code of all fsck programs: errors were found, and corrected (fsck(8)).
const CORRECTED: i32 = 1;
/// Exit code of fsck.exfat and e2fsck: errors were found, and left; fsck.fat has [`CORRECTED`] for that.
const LEFT: i32 = 4;

/// A kind of filesystem that can hold a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filesystem {
    /// FAT in any width, with long names.
    Vfat,
    /// exFAT.
    Exfat,
    /// ext2, ext3 or ext4.
    Ext,
}

impl Filesystem {
    /// The kind udev calls `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "vfat" => Some(Self::Vfat),
            "exfat" => Some(Self::Exfat),
            "ext2" | "ext3" | "ext4" => Some(Self::Ext),
            _ => None,
        }
    }

    /// The kind on the device `node`, by its signature: in the boot sector, or that of ext at 1080
    /// (linux/ext4, *Super Block*).
    ///
    /// # Errors
    /// Those of reading the device.
    pub fn of(node: &Path) -> io::Result<Option<Self>> {
        let (sector, mut magic) = (boot_sector(node)?, [0; 2]);
        File::open(node)?.read_exact_at(&mut magic, 1080)?;
        let is_fat = sector[0x52..0x57] == *b"FAT32" || sector[0x36..0x39] == *b"FAT";
        Ok(match &sector[3..11] {
            b"EXFAT   " => Some(Self::Exfat),
            _ if is_fat => Some(Self::Vfat),
            _ if magic == [0x53, 0xef] => Some(Self::Ext),
            _ => None,
        })
    }

    /// The driver's name.
    #[must_use]
    pub fn driver(self) -> &'static str {
        match self {
            Self::Vfat => "vfat",
            Self::Exfat => "exfat",
            Self::Ext => "ext4",
        }
    }

    fn repairing(self) -> Tool<'static> {
        Tool::new(self.program()).arg(if self == Self::Vfat { "-a" } else { "-p" })
    }

    fn looking(self) -> Tool<'static> {
        Tool::new(self.program()).arg("-n")
    }

    fn program(self) -> &'static str {
        match self {
            Self::Vfat => "fsck.fat",
            Self::Exfat => "fsck.exfat",
            Self::Ext => "e2fsck",
        }
    }
}

/// How a filesystem was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// In order.
    Sound,
    /// Not in order, which it is now.
    Repaired,
    /// Not in order, and left so.
    Wrong,
    /// It may be damaged, and this program, which could tell, is not installed.
    Without(String),
}

/// Repairs what a pulled stick leaves behind, if it was left so. It must not be mounted.
///
/// # Errors
/// What the repair program says, when it finds more than it may repair without asking.
pub fn check(stick: &Stick) -> wendy_sys::Result<Checked> {
    if stick.read_only || !is_dirty(stick.filesystem, &stick.node).unwrap_or(true) {
        return Ok(Checked::Sound);
    }
    tracing::info!(stick = %stick.name, "checking its filesystem");
    repair(stick.filesystem, &stick.node)
}

/// Looks at all of the filesystem on the device `node` without changing it, whatever it says of itself.
/// It must not be mounted.
///
/// # Errors
/// What the program says that cannot look at it.
pub fn look(filesystem: Filesystem, node: &Path) -> wendy_sys::Result<Checked> {
    let run = filesystem.looking().arg(node);
    match run.accept(CORRECTED).accept(LEFT).run(&Cancel::new()) {
        Ok(output) if output.code == 0 => Ok(Checked::Sound),
        Ok(_) => Ok(Checked::Wrong),
        Err(Error::ToolMissing { tool }) => Ok(Checked::Without(tool)),
        Err(error) => Err(error),
    }
}

/// Repairs the filesystem on the device `node`, which must not be mounted.
///
/// # Errors
/// As [`check`].
pub fn repair(filesystem: Filesystem, node: &Path) -> wendy_sys::Result<Checked> {
    // Held to the end: fsck.fat would repair under a mounted filesystem, the others look by themselves.
    let claim = match filesystem {
        Filesystem::Vfat => Some(prepare_fat(node)?),
        Filesystem::Exfat | Filesystem::Ext => None,
    };
    let is_changed = |(_, removed): &(File, Removed)| *removed != Removed::default();
    let mut found = if claim.as_ref().is_some_and(is_changed) {
        Checked::Repaired
    } else {
        Checked::Sound
    };
    for _ in 0..MOST_RUNS {
        let run = filesystem.repairing().arg(node).accept(CORRECTED);
        match run.run(&Cancel::new()) {
            Ok(output) if output.code == CORRECTED => found = Checked::Repaired,
            Ok(_) => break,
            Err(Error::ToolMissing { tool }) => {
                tracing::warn!(tool, "not installed: the stick is used unchecked");
                return Ok(Checked::Without(tool));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Before fsck.fat, which takes what is in directories never written for entries. As long as the device
/// is kept nobody can mount it (open(2), `O_EXCL`).
fn prepare_fat(node: &Path) -> wendy_sys::Result<(File, Removed)> {
    let flags = OFlags::RDWR | OFlags::EXCL | OFlags::CLOEXEC;
    let device = rustix::fs::open(node, flags, Mode::empty()).map_err(|error| Error::Os {
        what: format!("have {} for ourselves", node.display()),
        source: error.into(),
    })?;
    let device = File::from(device);
    let removed = fat::remove_half_written(&device).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot look for what was written in half");
        Removed::default()
    });
    if removed != Removed::default() {
        tracing::info!(?removed, "removed what was written in half");
    }
    Ok((device, removed))
}

/// Whether the filesystem says that it was not unmounted. ext looks at that by itself.
///
/// # Errors
/// Those of reading the device.
pub fn is_dirty(filesystem: Filesystem, node: &Path) -> io::Result<bool> {
    Ok(match filesystem {
        Filesystem::Ext => true,
        Filesystem::Vfat => fat_is_dirty(&boot_sector(node)?),
        Filesystem::Exfat => exfat_is_dirty(&boot_sector(node)?),
    })
}

fn boot_sector(node: &Path) -> io::Result<[u8; 512]> {
    let mut sector = [0; 512];
    File::open(node)?.read_exact_at(&mut sector, 0)?;
    Ok(sector)
}

/// `BS_Reserved1`, which Linux and Windows use for it: bit 0 dirty, bit 1 errors on the medium
/// (linux/msdos_fs.h, `fat_boot_sector`). FAT32 has no `BPB_FATSz16`.
fn fat_is_dirty(sector: &[u8; 512]) -> bool {
    let is_fat32 = sector[0x16..0x18] == [0, 0];
    let state = if is_fat32 { sector[0x41] } else { sector[0x25] };
    state & 3 != 0
}

/// `VolumeFlags`: bit 1 dirty, bit 2 errors on the medium (exFAT specification, 3.1.13).
fn exfat_is_dirty(sector: &[u8; 512]) -> bool {
    sector[106] & 6 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_of_each_width_of_fat_is_found() {
        let mut sector = [0; 512];
        assert!(!fat_is_dirty(&sector));
        sector[0x41] = 1;
        assert!(fat_is_dirty(&sector));
        sector[0x16] = 200;
        assert!(!fat_is_dirty(&sector));
        sector[0x25] = 1;
        assert!(fat_is_dirty(&sector));
    }

    #[test]
    fn the_flag_of_exfat_is_found() {
        let mut sector = [0; 512];
        sector[106] = 1;
        assert!(!exfat_is_dirty(&sector));
        sector[106] = 2;
        assert!(exfat_is_dirty(&sector));
    }
}
