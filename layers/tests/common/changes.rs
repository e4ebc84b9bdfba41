//! Random changes to a small tree, of every kind that an upper sees.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "every test uses its part and fails where it stands"
)]

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use proptest::prelude::*;
use rustix::fs::{
    CWD, FileType, IFlags, Mode, XattrFlags, ioctl_setflags, lsetxattr, makedev, mknodat,
};

/// A change to one of a few paths, so that changes meet each other.
#[derive(Debug, Clone)]
pub enum Change {
    Write(u8, u16),
    /// Other data under the old modification time.
    Deceive(u8, u8),
    /// Other data through a mapping, without any trace in the inode.
    WriteSilently(u8),
    Remove(u8),
    MakeDir(u8),
    Rename(u8, u8),
    Link(u8, u8),
    Symlink(u8),
    Whiteout(u8),
    Mode(u8, u16),
    Own(u8, u8),
    Attribute(u8, u8),
    Lock(u8),
    Unlock(u8),
}

pub fn change() -> impl Strategy<Value = Change> {
    let path = || 0..14u8;
    prop_oneof![
        4 => (path(), any::<u16>()).prop_map(|(path, size)| Change::Write(path, size)),
        2 => (path(), any::<u8>()).prop_map(|(path, with)| Change::Deceive(path, with)),
        2 => path().prop_map(Change::WriteSilently),
        3 => path().prop_map(Change::Remove),
        3 => path().prop_map(Change::MakeDir),
        3 => (path(), path()).prop_map(|(from, to)| Change::Rename(from, to)),
        3 => (path(), path()).prop_map(|(from, to)| Change::Link(from, to)),
        1 => path().prop_map(Change::Symlink),
        1 => path().prop_map(Change::Whiteout),
        1 => (path(), 0..0o7777u16).prop_map(|(path, mode)| Change::Mode(path, mode)),
        1 => (path(), any::<u8>()).prop_map(|(path, owner)| Change::Own(path, owner)),
        1 => (path(), any::<u8>()).prop_map(|(path, value)| Change::Attribute(path, value)),
        1 => path().prop_map(Change::Lock),
        1 => path().prop_map(Change::Unlock),
    ]
}

/// A change that leaves a trace in an inode.
pub fn visible_change() -> impl Strategy<Value = Change> {
    let seen = |change: &Change| !matches!(change, Change::WriteSilently(_));
    change().prop_filter("a pass believes the inodes", seen)
}

/// Fourteen paths on three levels.
fn path(top: &Path, n: u8) -> std::path::PathBuf {
    match n {
        0 | 1 => top.join(n.to_string()),
        2..=5 => top.join((n % 2).to_string()).join((n / 2).to_string()),
        _ => top
            .join((n % 2).to_string())
            .join((2 - n % 3 / 2).to_string())
            .join(n.to_string()),
    }
}

/// Many changes are impossible at the moment they come; that is as good as none.
pub fn apply(top: &Path, change: &Change) {
    let at = |n: &u8| path(top, *n);
    let _ = match change {
        Change::Write(n, size) => fs::write(at(n), vec![b'w'; usize::from(*size)]),
        Change::Deceive(n, with) => deceive(&at(n), *with),
        Change::WriteSilently(n) => write_silently(&at(n)),
        Change::Remove(n) => fs::remove_dir_all(at(n)).or_else(|_| fs::remove_file(at(n))),
        Change::MakeDir(n) => fs::create_dir(at(n)),
        Change::Rename(from, to) => fs::rename(at(from), at(to)),
        Change::Link(from, to) => fs::hard_link(at(from), at(to)),
        Change::Symlink(n) => symlink("anywhere", at(n)),
        Change::Whiteout(n) => {
            let (kind, mode) = (FileType::CharacterDevice, Mode::empty());
            mknodat(CWD, at(n), kind, mode, makedev(0, 0)).map_err(Into::into)
        }
        Change::Mode(n, mode) => {
            fs::set_permissions(at(n), fs::Permissions::from_mode(u32::from(*mode)))
        }
        Change::Own(n, owner) => chown(at(n), Some(u32::from(*owner)), None),
        Change::Attribute(n, value) => {
            let value = vec![*value; usize::from(*value)];
            lsetxattr(at(n), "trusted.note", &value, XattrFlags::empty()).map_err(Into::into)
        }
        Change::Lock(n) => flag(&at(n), IFlags::IMMUTABLE),
        Change::Unlock(n) => flag(&at(n), IFlags::empty()),
    };
}

/// Nothing stays locked, or the tree could not be removed.
pub fn unlock_all(top: &Path) {
    (0..14).for_each(|n| apply(top, &Change::Unlock(n)));
}

fn flag(path: &Path, flags: IFlags) -> std::io::Result<()> {
    Ok(ioctl_setflags(fs::File::open(path)?, flags)?)
}

fn deceive(path: &Path, with: u8) -> std::io::Result<()> {
    let before = fs::symlink_metadata(path)?;
    if !before.is_file() {
        return Ok(());
    }
    fs::write(path, vec![with; usize::try_from(before.len()).unwrap()])?;
    let file = fs::File::options().write(true).open(path)?;
    file.set_modified(before.modified()?)
}

/// Changes the first byte of a file through a mapping that was there, and read, long before.
pub fn write_silently(path: &Path) -> std::io::Result<()> {
    if fs::metadata(path)?.len() > 0 {
        Mapping::of(path)?.write();
    }
    Ok(())
}

/// The first byte of a file, as a program has it that maps the file.
pub struct Mapping(AtomicPtr<u8>);

#[allow(unsafe_code, reason = "mapping a file is the point")]
impl Mapping {
    /// Of a file that is not empty.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let file = fs::File::options().read(true).write(true).open(path)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let (one, shared) = (NonZeroUsize::MIN, MapFlags::MAP_SHARED);
        // SAFETY: a fresh mapping, used by nobody else.
        let mapped = unsafe { mmap(None, one, protection, shared, &file, 0)? };
        Ok(Self(AtomicPtr::new(mapped.as_ptr().cast())))
    }

    /// Changes it.
    pub fn write(&self) {
        let byte = self.0.load(Ordering::Relaxed);
        // SAFETY: the file is at least as long as the mapping.
        unsafe { byte.write_volatile(!byte.read_volatile()) }
    }
}

impl Drop for Mapping {
    #[allow(unsafe_code, reason = "what was mapped")]
    fn drop(&mut self) {
        if let Some(mapped) = NonNull::new(self.0.get_mut().cast()) {
            // SAFETY: it was mapped with this length, and nothing refers to it.
            unsafe { munmap(mapped, 1).unwrap() }
        }
    }
}
