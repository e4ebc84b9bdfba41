//! Making an image: under a private name, written out fully, synced, then named.
//!
//! FAT has no holes, and elsewhere a hole would be a promise that the stick may not keep: so the
//! room is taken at once. vfat renames in several writes; a power failure between leaves the old
//! name, the new one, an empty file of the new name, or nothing, none of which looks like a home
//! before the file is whole. Once the name is durable it is never changed again.

use super::{FILE, Image, ImageError, MountedImage, Result};
use crate::medium::directory::DirectoryMedium;
use crate::medium::{Medium as _, MediumFile as _};
use crate::names::PRIVATE_DIR;
use crate::readme::{self, Readme};
use rustix::fs::{AtFlags, FallocateFlags, Mode, chownat, fallocate, fchmod, fstatfs, unlinkat};
use rustix::io::Errno;
use std::io;
use wendy_sys::{Cancel, step, tool::Tool};

/// The image while it is made.
pub const UNFINISHED: &str = ".wendy/home.img.new";
/// Label of the filesystem.
const LABEL: &str = "wendy-home";
/// With less there is no room for a journal.
pub const LEAST: u64 = 16 << 20;
/// Sizes are multiples of this, the size of a block.
pub const UNIT: u64 = 4096;
/// What else making one takes on the stick: directories and a text.
const SLACK: u64 = 1 << 20;
/// Written at once, so that progress is seen and a full stick noticed.
const CHUNK: usize = 4 << 20;
/// One inode for this many bytes, as mke2fs(8) does it unless it knows better.
const BYTES_PER_INODE: u64 = 16384;

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Bytes.
    pub size: u64,
    /// Identity of the home.
    pub id: [u8; 16],
    /// Owner of the home and their group.
    pub owner: (u32, u32),
    /// Inodes there must be room for.
    pub inodes: u64,
}

impl Plan {
    /// The plan with a size that a block divides, if the medium can hold it.
    ///
    /// # Errors
    /// [`ImageError::Size`], [`ImageError::NoRoom`]; nothing is written for it.
    pub fn fitted(self, medium: &DirectoryMedium) -> Result<Self> {
        let (size, max) = (self.size / UNIT * UNIT, medium.file_max());
        if size < LEAST {
            return Err(ImageError::Size(format!(
                "an image has at least {LEAST} bytes (16 MiB)"
            )));
        }
        if size > max {
            return Err(ImageError::Size(format!(
                "FAT32 holds no file above {max} bytes (4 GiB - 1): choose a size of at most {}",
                max / UNIT * UNIT
            )));
        }
        let (free, needed) = (medium.space()?.free, size.saturating_add(SLACK));
        if needed > free {
            return Err(ImageError::NoRoom { needed, free });
        }
        Ok(Self { size, ..self })
    }
}

/// Makes an image with an empty home in it. `tell` hears how many bytes are written, and of how many.
///
/// # Errors
/// Those of [`Plan::fitted`], of the medium and of mke2fs(8). What was begun is removed then.
pub fn create(medium: &DirectoryMedium, plan: Plan, tell: &mut dyn FnMut(u64, u64)) -> Result<()> {
    let made = make(medium, plan, tell).and_then(|()| {
        readme::write(medium, Readme::Image)?;
        name(medium)
    });
    if made.is_err() {
        // The first error is the one to tell; what stays is removed by the next try.
        let _ = clear(medium);
    }
    made
}

/// Removes what an interrupted creation has left.
///
/// # Errors
/// Those of unlinkat(2).
pub fn clear(medium: &DirectoryMedium) -> io::Result<()> {
    match medium.unlink(UNFINISHED) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes an image under its private name, durable when this returns.
///
/// # Errors
/// As [`create`].
pub fn make(medium: &DirectoryMedium, plan: Plan, tell: &mut dyn FnMut(u64, u64)) -> Result<()> {
    clear(medium)?;
    let plan = plan.fitted(medium)?;
    match medium.make_dir(PRIVATE_DIR) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    step("image.reserve")?;
    reserve(medium, plan.size, tell)?;
    step("image.format")?;
    let image = Image::open_at(medium, UNFINISHED, false)?;
    format(&image, plan)?;
    step("image.begin")?;
    begin(&image, plan.owner)?;
    image.file.sync_all()?;
    step("image.made")?;
    Ok(medium.sync_all()?)
}

/// Gives the image its name, durable when this returns.
///
/// # Errors
/// Those of renameat2(2) and fsync(2).
pub fn name(medium: &DirectoryMedium) -> Result<()> {
    // What a power failure has left of another one.
    if medium.facts(FILE).is_ok_and(|facts| facts.size == 0) {
        medium.unlink(FILE)?;
    }
    let image = Image::open_at(medium, UNFINISHED, false)?;
    step("image.rename")?;
    medium.rename(UNFINISHED, FILE)?;
    // The new name is that of an empty file until the inode is written.
    image.file.sync_all()?;
    step("image.renamed")?;
    medium.sync_dirs(&[String::new(), PRIVATE_DIR.into()])?;
    Ok(medium.sync_all()?)
}

/// Takes all the room of the file.
fn reserve(medium: &DirectoryMedium, size: u64, tell: &mut dyn FnMut(u64, u64)) -> Result<()> {
    let file = medium.create(UNFINISHED)?;
    let fd = file.descriptor().ok_or(Errno::BADF)?;
    if reserves(fstatfs(fd)?.f_type) {
        fallocate(fd, FallocateFlags::empty(), 0, size)?;
        return Ok(());
    }
    let (zeros, mut done) = (vec![0; CHUNK], 0);
    while done < size {
        let left = usize::try_from(size - done).unwrap_or(CHUNK).min(CHUNK);
        file.write_at(&zeros[..left], done)?;
        // Kept from piling up in memory, where neither progress nor a full stick would show.
        file.sync_data()?;
        done += left as u64;
        tell(done, size);
        step("image.chunk")?;
    }
    Ok(())
}

/// Whether reserving room for a file is quick and certain; FAT would write it all without a word.
fn reserves(filesystem: i64) -> bool {
    const EXT: i64 = 0xef53;
    const XFS: i64 = 0x5846_5342;
    const BTRFS: i64 = 0x9123_683e;
    const TMPFS: i64 = 0x0102_1994;
    [EXT, XFS, BTRFS, TMPFS].contains(&filesystem)
}

fn format(image: &Image, plan: Plan) -> Result<()> {
    let inodes = plan.inodes.max(plan.size / BYTES_PER_INODE);
    let id = uuid::Uuid::from_bytes(plan.id).to_string();
    // What was reserved reads as zeros. Discarding it would give the room back.
    let extended = "nodiscard,assume_storage_prezeroed=1";
    let tool = Tool::new("mke2fs").args(["-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0"]);
    tool.args(["-L", LABEL, "-U", &id, "-N", &inodes.to_string()])
        // For extended attributes of more than a block, which a home of files can hold.
        .args(["-O", "ea_inode", "-E", extended])
        .pass_fd(image.fd())
        .arg(image.proc_path())
        .run(&Cancel::new())?;
    Ok(())
}

/// The root directory as that of a home.
fn begin(image: &Image, (uid, gid): (u32, u32)) -> Result<()> {
    let mounted = MountedImage::of(image)?;
    let root = mounted.root();
    let (uid, gid) = (
        rustix::fs::Uid::from_raw(uid),
        rustix::fs::Gid::from_raw(gid),
    );
    chownat(root, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    fchmod(root, Mode::RWXU)?;
    tidy(root)?;
    Ok(wendy_sys::mount::syncfs(root)?)
}

/// Removes `lost+found` if nothing is in it: e2fsck makes one when it needs it.
pub(super) fn tidy(root: impl std::os::fd::AsFd) -> io::Result<()> {
    match unlinkat(root.as_fd(), "lost+found", AtFlags::REMOVEDIR) {
        Err(Errno::NOENT | Errno::NOTEMPTY | Errno::NOTDIR | Errno::ROFS) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
