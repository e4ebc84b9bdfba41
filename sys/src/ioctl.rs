//! The ioctls that neither nix nor rustix wraps, as safe functions.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use linux_raw_sys::loop_device::{loop_config, loop_info64};
use nix::{
    Result,
    libc::{c_char, c_int, c_longlong, c_void},
};

/// Longest label a filesystem may have, terminator included (linux/fs.h: `FSLABEL_MAX`).
pub(crate) const FSLABEL_MAX: usize = 256;

/// What to do with a partition (linux/blkpg.h).
#[derive(Clone, Copy, Debug)]
pub(crate) enum PartitionChange {
    Add,
    Delete,
}

/// Argument of BLKPG (linux/blkpg.h: `struct blkpg_ioctl_arg`).
#[repr(C)]
struct BlkpgArgument {
    op: c_int,
    flags: c_int,
    datalen: c_int,
    data: *mut c_void,
}

/// A partition as BLKPG knows it, in bytes (linux/blkpg.h: `struct blkpg_partition`).
#[repr(C)]
struct BlkpgPartition {
    start: c_longlong,
    length: c_longlong,
    number: c_int,
    device_name: [c_char; 64],
    volume_name: [c_char; 64],
}

mod raw {
    use super::{BlkpgArgument, FSLABEL_MAX, loop_config, loop_info64};

    nix::ioctl_read!(blkgetdiskseq, 0x12, 128, u64);
    nix::ioctl_read!(blkgetsize64, 0x12, 114, usize);
    nix::ioctl_read_bad!(
        blkroget,
        nix::request_code_none!(0x12, 94),
        nix::libc::c_int
    );
    nix::ioctl_write_ptr_bad!(blkpg, nix::request_code_none!(0x12, 105), BlkpgArgument);
    nix::ioctl_read!(shutdown, b'X', 125, u32);
    nix::ioctl_read!(getfslabel, 0x94, 49, [u8; FSLABEL_MAX]);
    nix::ioctl_write_ptr!(setfslabel, 0x94, 50, [u8; FSLABEL_MAX]);
    nix::ioctl_write_ptr_bad!(loop_configure, 0x4C0A, loop_config);
    #[cfg(feature = "failpoints")]
    nix::ioctl_write_int_bad!(loop_change_fd, 0x4C06);
    nix::ioctl_none_bad!(loop_ctl_get_free, 0x4C82);
    nix::ioctl_read_bad!(loop_get_status64, 0x4C05, loop_info64);
}

/// Sequence number of the disk: each inserted medium gets a new one (Linux 5.15).
pub(crate) fn disk_sequence(fd: BorrowedFd<'_>) -> Result<u64> {
    let mut sequence = 0;
    // SAFETY: the kernel writes one u64 through a pointer to one.
    unsafe { raw::blkgetdiskseq(fd.as_raw_fd(), &raw mut sequence) }?;
    Ok(sequence)
}

/// Size of a block device in bytes.
pub(crate) fn size(fd: BorrowedFd<'_>) -> Result<u64> {
    let mut bytes = 0_u64;
    // SAFETY: BLKGETSIZE64 writes a u64, whatever type its request code names.
    unsafe { raw::blkgetsize64(fd.as_raw_fd(), (&raw mut bytes).cast()) }?;
    Ok(bytes)
}

/// Whether the block device refuses writes.
pub(crate) fn read_only(fd: BorrowedFd<'_>) -> Result<bool> {
    let mut flag = 0;
    // SAFETY: the kernel writes one int through a pointer to one.
    unsafe { raw::blkroget(fd.as_raw_fd(), &raw mut flag) }?;
    Ok(flag != 0)
}

/// Adds partition `number` to the kernel's view of a disk, or deletes it; positions in bytes.
pub(crate) fn change_partition(
    fd: BorrowedFd<'_>,
    change: PartitionChange,
    number: i32,
    start: i64,
    length: i64,
) -> Result<()> {
    let mut partition = BlkpgPartition {
        start,
        length,
        number,
        device_name: [0; 64],
        volume_name: [0; 64],
    };
    let argument = BlkpgArgument {
        op: match change {
            PartitionChange::Add => 1,
            PartitionChange::Delete => 2,
        },
        flags: 0,
        datalen: c_int::try_from(size_of::<BlkpgPartition>()).expect("a few hundred bytes"),
        data: (&raw mut partition).cast(),
    };
    // SAFETY: both structures have the kernel's layout and outlive the call.
    unsafe { raw::blkpg(fd.as_raw_fd(), &raw const argument) }.map(drop)
}

/// Lets everything done with the filesystem that holds `fd` fail, without writing anything more.
pub(crate) fn shut_down(fd: BorrowedFd<'_>) -> Result<()> {
    const WITHOUT_LOG: u32 = 2;
    let mut flags = WITHOUT_LOG;
    // SAFETY: the kernel reads the flags, although the request is declared the other way round.
    unsafe { raw::shutdown(fd.as_raw_fd(), &raw mut flags) }.map(drop)
}

/// Label of the mounted filesystem that holds `fd`, zero-padded.
pub(crate) fn label(fd: BorrowedFd<'_>) -> Result<[u8; FSLABEL_MAX]> {
    let mut label = [0; FSLABEL_MAX];
    // SAFETY: the kernel writes at most FSLABEL_MAX bytes.
    unsafe { raw::getfslabel(fd.as_raw_fd(), &raw mut label) }?;
    Ok(label)
}

/// Changes the label of the mounted filesystem that holds `fd`; `label` ends with a zero.
pub(crate) fn set_label(fd: BorrowedFd<'_>, label: &[u8; FSLABEL_MAX]) -> Result<()> {
    // SAFETY: the kernel reads at most FSLABEL_MAX bytes.
    unsafe { raw::setfslabel(fd.as_raw_fd(), label) }.map(drop)
}

/// Attaches and configures a loop device in one step (Linux 5.8).
pub(crate) fn loop_configure(fd: BorrowedFd<'_>, config: &loop_config) -> Result<()> {
    // SAFETY: `loop_config` is the kernel's own structure.
    unsafe { raw::loop_configure(fd.as_raw_fd(), config) }.map(drop)
}

/// Number of a free loop device; another program may be faster in using it.
pub(crate) fn loop_get_free(control: BorrowedFd<'_>) -> Result<i32> {
    // SAFETY: the request takes no argument and returns the number.
    unsafe { raw::loop_ctl_get_free(control.as_raw_fd()) }
}

/// The file behind a loop device: the device number of its filesystem and its inode number.
pub(crate) fn loop_backing(fd: BorrowedFd<'_>) -> Result<(u64, u64)> {
    // SAFETY: all-zero bytes are a valid `loop_info64`, which consists of integers only.
    let mut info: loop_info64 = unsafe { std::mem::zeroed() };
    // SAFETY: `loop_info64` is the kernel's own structure.
    unsafe { raw::loop_get_status64(fd.as_raw_fd(), &raw mut info) }?;
    Ok((info.lo_device, info.lo_inode))
}

/// Puts another file of the same size behind a loop device that refuses writes.
#[cfg(feature = "failpoints")]
pub(crate) fn loop_exchange(fd: BorrowedFd<'_>, backing: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the kernel takes the number of an open file, and both stay open during the call.
    unsafe { raw::loop_change_fd(fd.as_raw_fd(), backing.as_raw_fd()) }.map(drop)
}
