//! What a mounted filesystem is asked and told, through any descriptor of a file in it.

use std::os::fd::AsFd;

use rustix::fs::{self, StatVfsMountFlags};
use rustix::io::Errno;

use crate::{Error, Result, error::Context as _, ioctl};

/// Room on a filesystem, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Size of the filesystem.
    pub size: u64,
    /// Free for anybody but root's reserve.
    pub available: u64,
    /// Free, root's reserve included.
    pub free: u64,
    /// Size of an allocation block.
    pub block: u64,
    /// Inodes that can still be made; as many as there are numbers where they are not counted.
    pub free_inodes: u64,
}

impl Space {
    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.size.saturating_sub(self.free)
    }
}

/// Waits until everything written to the filesystem that holds `fd`, a file or directory in it, is on
/// its device, and in no memory that the device loses with its power.
///
/// As [`write_out`]; fsync(2) then has FAT and exFAT empty that memory, which syncfs(2) does not, and
/// fails on an ext4 that was shut down, of which syncfs(2) says up to Linux 6.12 that all went well.
pub fn syncfs(fd: impl AsFd) -> Result<()> {
    write_out(&fd)?;
    fs::fsync(&fd).during(|| "write a filesystem back".into())
}

/// Waits until everything written to the filesystem that holds `fd` was given to its device.
///
/// Reports write errors that happened since `fd` was opened (syncfs(2), Linux 5.8), so open it
/// before the first write.
///
/// Of a filesystem that is read-only the kernel writes nothing, and says that all went well
/// (`sync_filesystem` in Linux, fs/sync.c), also if it has become so because it is damaged: here that is
/// `EROFS`.
pub fn write_out(fd: impl AsFd) -> Result<()> {
    let written = fs::syncfs(&fd).and_then(|()| match is_read_only(&fd)? {
        true => Err(Errno::ROFS),
        false => Ok(()),
    });
    written.during(|| "write a filesystem back".into())
}

/// Whether the filesystem that holds `fd` takes no changes, at all or through this mount.
pub fn is_read_only(fd: impl AsFd) -> rustix::io::Result<bool> {
    let flags = fs::fstatvfs(fd)?.f_flag;
    Ok(flags.contains(StatVfsMountFlags::RDONLY))
}

/// Lets everything that is done with the ext4 or XFS that holds `fd` fail with `EIO` from now on, and
/// writes nothing more to its device, as if the power had failed (`EXT4_IOC_SHUTDOWN`, linux/ext4.h:
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`).
pub fn shut_down(fd: impl AsFd) -> Result<()> {
    ioctl::shut_down(fd.as_fd()).during(|| "shut a filesystem down".into())
}

/// The label of the mounted filesystem that holds `fd`.
pub fn label(fd: impl AsFd) -> Result<String> {
    let label = ioctl::label(fd.as_fd()).during(|| "read a label".into())?;
    let end = label
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(label.len());
    Ok(String::from_utf8_lossy(&label[..end]).into_owned())
}

/// Changes the label of the mounted filesystem that holds `fd` (`FS_IOC_SETFSLABEL`).
///
/// How long it may be depends on the filesystem: 16 bytes on ext4; longer ones give `EINVAL`.
pub fn set_label(fd: impl AsFd, label: &str) -> Result<()> {
    let mut padded = [0; ioctl::FSLABEL_MAX];
    let room = padded.len() - 1;
    if label.len() > room || label.contains('\0') {
        return Err(Error::invalid(
            format!("label {label:?}"),
            "too long for any filesystem",
        ));
    }
    padded[..label.len()].copy_from_slice(label.as_bytes());
    ioctl::set_label(fd.as_fd(), &padded).during(|| format!("set the label {label:?}"))
}

/// Room on the filesystem that holds `fd`.
pub fn space(fd: impl AsFd) -> Result<Space> {
    let stat = fs::fstatvfs(fd).during(|| "ask for free space".into())?;
    Ok(Space {
        size: stat.f_blocks * stat.f_frsize,
        available: stat.f_bavail * stat.f_frsize,
        free: stat.f_bfree * stat.f_frsize,
        block: stat.f_bsize,
        // btrfs and FAT make them as they need them, and say they have none at all.
        free_inodes: if stat.f_files == 0 {
            u64::MAX
        } else {
            stat.f_favail
        },
    })
}
