//! The changes, each of the first path, or from the first to the second.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

use nix::sys::mman::{MapFlags, MsFlags, ProtFlags, mmap, msync, munmap};
use nix::sys::stat::Mode;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags};

use crate::Random;

/// The extended attribute that changes.
pub const XATTR: &str = "user.kept";

pub fn make_way(path: &Path) -> io::Result<()> {
    what_can_be(fs::remove_file(path))
}

/// Not all that is asked for is possible with what there is.
pub fn what_can_be(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if is_impossible(error.kind()) => Ok(()),
        other => other,
    }
}

fn is_impossible(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty
    )
}

pub fn make_fifo(path: &Path, random: &mut Random) -> io::Result<()> {
    make_way(path)?;
    let mode = Mode::from_bits_truncate(some_mode(random));
    Ok(nix::unistd::mkfifo(path, mode)?)
}

pub fn write_synced(path: &[PathBuf], random: &mut Random) -> io::Result<()> {
    make_way(&path[0])?;
    write_new(&path[0], random)
}

pub fn write_synchronously(path: &[PathBuf], random: &mut Random) -> io::Result<()> {
    make_way(&path[0])?;
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true);
    let mut file = options.custom_flags(libc::O_SYNC).open(&path[0])?;
    file.write_all(&some_bytes(random))
}

/// A new file over the old one.
pub fn write_as_editors_do(path: &[PathBuf], random: &mut Random) -> io::Result<()> {
    let temporary = path[0].with_extension("tmp");
    make_way(&temporary)?;
    write_new(&temporary, random)?;
    fs::rename(&temporary, &path[0])
}

fn write_new(path: &Path, random: &mut Random) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(&some_bytes(random))?;
    file.sync_all()
}

/// Through a mapping, over a part of what there is.
#[allow(unsafe_code, reason = "mapping a file is the point")]
pub fn write_mapped(path: &[PathBuf], random: &mut Random) -> io::Result<()> {
    if !path[0].symlink_metadata()?.is_file() {
        return Ok(());
    }
    let file = OpenOptions::new().read(true).write(true).open(&path[0])?;
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let Some(whole) = NonZeroUsize::new(length) else {
        return Ok(());
    };
    let begin = random.at_most(u32::MAX) % length;
    let bytes = random.bytes((length - begin).min(5000));
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a fresh mapping of a file of this length, used by nobody else; what is written lies in it.
    unsafe {
        let map = mmap(None, whole, protection, MapFlags::MAP_SHARED, &file, 0)?;
        let to = map.as_ptr().cast::<u8>().add(begin);
        to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        let synced = msync(map, length, MsFlags::MS_SYNC);
        munmap(map, length)?;
        Ok(synced?)
    }
}

/// Any attribute of whatever is there.
pub fn change_attribute(path: &[PathBuf], random: &mut Random) -> io::Result<()> {
    let path = &path[0];
    let facts = path.symlink_metadata()?;
    let is_link = facts.is_symlink();
    match random.below(4) {
        0 if !is_link => fs::set_permissions(path, Permissions::from_mode(some_mode(random))),
        1 if facts.is_file() || facts.is_dir() => change_xattr(path, random),
        2 => set_modified(path, random),
        _ => {
            let mut owner = || u32::try_from(random.below(3000)).ok();
            lchown(path, owner(), owner())
        }
    }
}

fn change_xattr(path: &Path, random: &mut Random) -> io::Result<()> {
    let length = random.at_most(300);
    if length < 60 {
        return match rustix::fs::removexattr(path, XATTR) {
            Err(rustix::io::Errno::NODATA) => Ok(()),
            removed => Ok(removed?),
        };
    }
    let value = random.bytes(length);
    Ok(rustix::fs::setxattr(
        path,
        XATTR,
        &value,
        XattrFlags::empty(),
    )?)
}

fn set_modified(path: &Path, random: &mut Random) -> io::Result<()> {
    let time = Timespec {
        tv_sec: random.below(2_000_000_000).cast_signed(),
        tv_nsec: random.below(1_000_000_000).cast_signed(),
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(rustix::fs::utimensat(
        CWD,
        path,
        &times,
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

fn some_mode(random: &mut Random) -> u32 {
    0o600 + u32::try_from(random.below(64)).unwrap_or(0)
}

fn some_bytes(random: &mut Random) -> Vec<u8> {
    let longest = if random.below(8) == 0 { 200_000 } else { 6000 };
    let length = random.at_most(longest);
    random.bytes(length)
}

/// Syncs what there is of the directories that hold these paths.
pub fn sync_directories(paths: &[PathBuf]) -> io::Result<()> {
    let mut directories: Vec<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    directories.sort_unstable();
    directories.dedup();
    directories
        .into_iter()
        .try_for_each(|directory| what_can_be(sync(directory)))
}

/// Syncs a file or directory, or the directory of what is not opened for that.
pub fn sync_itself(path: &Path) -> io::Result<()> {
    let facts = path.symlink_metadata()?;
    if facts.is_file() || facts.is_dir() {
        return sync(path);
    }
    sync(path.parent().unwrap_or(path))
}

pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
