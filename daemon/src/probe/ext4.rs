//! A tree read by a parser of ours, straight from a device or a file: ext2, ext3 and ext4.
//!
//! The kernel never sees the filesystem, so nothing crafted in it reaches the kernel, its journal
//! is applied in memory only, and it may be mounted meanwhile.

use std::{error::Error, fs::File, io, os::unix::fs::FileExt};

use ext4_view::{Ext4, Ext4Read, FileType};

use super::{
    report::{Kind, Space},
    tree::{TooLarge, Tree},
};

/// Whether a filesystem of this type, as libblkid names it, is read here.
pub fn reads(fs_type: &str) -> bool {
    matches!(fs_type, "ext2" | "ext3" | "ext4")
}

/// An ext filesystem.
#[derive(Debug)]
pub struct Ext4Tree {
    filesystem: Ext4,
    facts: Superblock,
}

impl Ext4Tree {
    /// Opens the filesystem that begins at the start of `file`; none if there is no sound one.
    pub fn open(file: File) -> Option<Self> {
        let reader = Reader::new(file).ok()?;
        let facts = reader.superblock.facts();
        let filesystem = Ext4::load(Box::new(reader)).ok()?;
        Some(Self { filesystem, facts })
    }

    /// The parser follows links in the middle of a path, we do not.
    fn plain(&self, path: &str) -> Option<String> {
        let mut walked = String::new();
        let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
        while let Some(name) = names.next() {
            walked = format!("{walked}/{name}");
            if names.peek().is_some() && !self.filesystem.symlink_metadata(&*walked).ok()?.is_dir()
            {
                return None;
            }
        }
        Some(if walked.is_empty() {
            "/".to_owned()
        } else {
            walked
        })
    }
}

impl Tree for Ext4Tree {
    fn entries(&self, path: &str, most: usize) -> (Vec<(String, Kind)>, bool) {
        let mut found = Vec::new();
        let is_directory = self.kind(path) == Some(Kind::Directory);
        let Some(path) = self.plain(path).filter(|_| is_directory) else {
            return (found, false);
        };
        let Ok(entries) = self.filesystem.read_dir(&*path) else {
            return (found, false);
        };
        for entry in entries {
            let Ok(entry) = entry else {
                return (found, true);
            };
            let name = entry.file_name();
            if name == "." || name == ".." {
                continue;
            }
            if found.len() == most {
                return (found, true);
            }
            let kind = entry.file_type().map_or(Kind::Other, kind_of);
            found.push((String::from_utf8_lossy(name.as_ref()).into_owned(), kind));
        }
        (found, false)
    }

    fn kind(&self, path: &str) -> Option<Kind> {
        let metadata = self.filesystem.symlink_metadata(&*self.plain(path)?).ok()?;
        Some(kind_of(metadata.file_type()))
    }

    fn read(&self, path: &str, most: usize) -> Option<Result<Vec<u8>, TooLarge>> {
        if self.kind(path)? != Kind::File {
            return None;
        }
        let path = self.plain(path)?;
        let size = self.filesystem.symlink_metadata(&*path).ok()?.len();
        if size > most as u64 {
            return Some(Err(TooLarge));
        }
        self.filesystem.read(&*path).ok().map(Ok)
    }

    fn link(&self, path: &str) -> Option<String> {
        let target = self.filesystem.read_link(&*self.plain(path)?).ok()?;
        target.to_str().ok().map(str::to_owned)
    }

    /// A filesystem that can hold an upper layer needs no file to hold one for it.
    fn open(&self, _path: &str) -> Option<File> {
        None
    }

    fn space(&self) -> Space {
        self.facts.space
    }

    fn clean(&self) -> bool {
        self.facts.clean
    }

    fn needs_check(&self) -> bool {
        self.facts.needs_check
    }
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::Regular => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

/// Where the superblock begins and how long it is (kernel documentation, ext4/super.rst).
const SUPERBLOCK: u64 = 1024;
const SUPERBLOCK_BYTES: usize = 1024;

/// Feature bits that matter here.
const COMPAT_RO_METADATA_CSUM: u32 = 0x400;
const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_64BIT: u32 = 0x80;
const INCOMPAT_EA_INODE: u32 = 0x400;

#[derive(Debug, Clone)]
struct RawSuperblock([u8; SUPERBLOCK_BYTES]);

#[derive(Debug, Clone, Copy)]
struct Superblock {
    space: Space,
    clean: bool,
    needs_check: bool,
}

impl RawSuperblock {
    fn half(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.0[offset], self.0[offset + 1]])
    }

    fn word(&self, offset: usize) -> u32 {
        u32::from(self.half(offset)) | u32::from(self.half(offset + 2)) << 16
    }

    fn set_word(&mut self, offset: usize, value: u32) {
        self.0[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn incompat(&self) -> u32 {
        self.word(0x60)
    }

    /// Counts of blocks have their upper half elsewhere.
    fn blocks(&self, low: usize, high: usize) -> u64 {
        let is_wide = self.incompat() & INCOMPAT_64BIT != 0;
        let high = if is_wide {
            u64::from(self.word(high)) << 32
        } else {
            0
        };
        u64::from(self.word(low)) | high
    }

    fn facts(&self) -> Superblock {
        let block_size = 1024_u64.checked_shl(self.word(0x18)).unwrap_or_default();
        let bytes = |blocks: u64| blocks.saturating_mul(block_size);
        let free = self
            .blocks(0x0C, 0x158)
            .saturating_sub(self.blocks(0x08, 0x154));
        let (is_valid, has_errors) = (self.half(0x3A) & 1 != 0, self.half(0x3A) & 2 != 0);
        Superblock {
            space: Space {
                size: bytes(self.blocks(0x04, 0x150)),
                free: bytes(free),
            },
            clean: is_valid && !has_errors && self.incompat() & INCOMPAT_RECOVER == 0,
            needs_check: has_errors,
        }
    }

    /// Hides that large attributes may have inodes of their own. The parser refuses what it does
    /// not know, and this changes nothing that it reads.
    fn hide_ea_inode(&mut self) {
        if self.incompat() & INCOMPAT_EA_INODE == 0 {
            return;
        }
        let was_sound = self.word(0x3FC) == self.checksum();
        self.set_word(0x60, self.incompat() & !INCOMPAT_EA_INODE);
        if self.word(0x64) & COMPAT_RO_METADATA_CSUM != 0 && was_sound {
            self.set_word(0x3FC, self.checksum());
        }
    }

    /// CRC32C over all that comes before it, without the final inversion.
    fn checksum(&self) -> u32 {
        !crc32c::crc32c(&self.0[..0x3FC])
    }
}

/// Reads whole aligned pieces, as `O_DIRECT` demands: on a device that is mounted meanwhile the
/// page cache of the device may show files as they were.
#[derive(Debug)]
struct Reader {
    file: File,
    superblock: RawSuperblock,
}

/// Suits every sector size there is.
const ALIGNMENT: u64 = 4096;

impl Reader {
    fn new(file: File) -> io::Result<Self> {
        let mut superblock = [0; SUPERBLOCK_BYTES];
        read_aligned(&file, SUPERBLOCK, &mut superblock)?;
        let mut superblock = RawSuperblock(superblock);
        superblock.hide_ea_inode();
        Ok(Self { file, superblock })
    }
}

impl Ext4Read for Reader {
    fn read(
        &mut self,
        start: u64,
        into: &mut [u8],
    ) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        read_aligned(&self.file, start, into)?;
        if start == SUPERBLOCK && into.len() == SUPERBLOCK_BYTES {
            into.copy_from_slice(&self.superblock.0);
        }
        Ok(())
    }
}

fn read_aligned(file: &File, start: u64, into: &mut [u8]) -> io::Result<()> {
    let first = start / ALIGNMENT * ALIGNMENT;
    let end = start
        .checked_add(into.len() as u64)
        .ok_or(io::ErrorKind::InvalidInput)?;
    let length = usize::try_from((end - first).next_multiple_of(ALIGNMENT));
    let length = length.map_err(|_| io::ErrorKind::InvalidInput)?;
    let align = usize::try_from(ALIGNMENT).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut buffer = vec![0_u8; length + align];
    let skip = buffer.as_ptr().align_offset(align);
    let window = &mut buffer[skip..skip + length];
    let read = read_up_to(file, first, window)?;
    let wanted = usize::try_from(start - first).map_err(|_| io::ErrorKind::InvalidInput)?;
    let found = window[..read].get(wanted..wanted + into.len());
    into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}

/// The last piece of a device may be shorter than asked for.
fn read_up_to(file: &File, start: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < into.len() {
        match file.read_at(&mut into[done..], start + done as u64)? {
            0 => break,
            read => done += read,
        }
        // What follows an uneven piece cannot be asked for in an aligned way.
        if !(done as u64).is_multiple_of(ALIGNMENT) {
            break;
        }
    }
    Ok(done)
}
