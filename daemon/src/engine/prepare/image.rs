//! A store in an image file, on a filesystem whose other files stay.
//!
//! FAT, exFAT and NTFS cannot hold an upper layer, but a file with an ext4 in it that stock images
//! find by its name. The file is made under a name that means nothing to anybody and gets its own
//! when it is complete; the marker beside it is written last.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::fs::{
    AtFlags, FallocateFlags, FileType, OFlags, fallocate, fsync, renameat, statat, unlinkat,
};
use wendy_store::{StoreId, layout};
use wendy_sys::{
    Errno,
    block::{Access, BlockDevice},
    dir,
    loopdev::{Loop, LoopOptions},
    mount::{self, DetachedMount, MountFlags},
    step,
};

use super::{
    Work, format,
    found::{Found, Room},
};
use crate::{
    error::{During, Error, Result, os},
    jobs::Phase,
    patience::{FOR_DEVICE, patiently},
    stores::records,
};

/// The image while it is made.
const UNFINISHED: &str = ".wendy-unfinished";
/// Written at once, so that a stick's progress is seen and a full one noticed.
const CHUNK: usize = 4 << 20;
/// What can hold an image file; all of them as the kernel names them.
const HOLDERS: [&str; 8] = [
    "vfat", "exfat", "ntfs3", "ext4", "ext3", "ext2", "xfs", "btrfs",
];

/// Looks into the filesystem on `device` for the room an image called `image` would have. Writes
/// nothing.
///
/// # Errors
/// [`Error::NotSupported`] if the filesystem leads to another store already, or of the kernel.
pub(super) fn room(
    found: &Found,
    device: &BlockDevice,
    image: &'static str,
) -> Result<Option<Room>> {
    let Some(fs_type) = holder(found) else {
        return Ok(None);
    };
    let root = mount_to_look(fs_type, device)?;
    check_marker(&root, image)?;
    let free = mount::space(&root)
        .during("asking for free space")?
        .available;
    let leftover = file_size(root.as_fd(), UNFINISHED)?.unwrap_or(0);
    let old_image = file_size(root.as_fd(), image)?;
    Ok(Some(Room {
        fs_type: fs_type.to_owned(),
        free: free + leftover,
        image,
        old_image,
    }))
}

/// Makes the image, the store in it and the marker beside it.
pub(super) fn loopback(work: &Work<'_>, device: &BlockDevice) -> Result<()> {
    let fs_type = holder(work.found).ok_or_else(|| Error::Changed(work.plan.device.clone()))?;
    let root =
        mount_as(fs_type, device, &[], MountFlags::STORE).during("mounting the filesystem")?;
    clear(work, &root)?;
    let done = make_image(work, &root).and_then(|()| publish(work, &root));
    if done.is_err() {
        let _ = remove(root.as_fd(), UNFINISHED);
    }
    drop(root);
    device.fsync().during("flushing the device")?;
    done
}

/// Removes what an interrupted prepare has left, and what the plan said would be lost. The marker
/// goes first: without it the rest is no store.
fn clear(work: &Work<'_>, root: &DetachedMount) -> Result<()> {
    step("prepare.clear").during("removing the old image")?;
    remove(root.as_fd(), UNFINISHED)?;
    if work.plan.lost.is_empty() {
        return Ok(());
    }
    match dir::open_beneath(root, layout::ROOT, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(casper) => remove(casper.as_fd(), layout::RECORD)?,
        Err(error) if error.errno() == Some(Errno::NOENT) => {}
        Err(error) => return Err(error).during("removing the old marker"),
    }
    mount::syncfs(root).during("removing the old marker")?;
    remove(root.as_fd(), work.plan.place.image)
}

fn make_image(work: &Work<'_>, root: &DetachedMount) -> Result<()> {
    step("prepare.allocate").during("writing the image file")?;
    work.watch.phase(Phase::Allocating);
    let file = allocate(work, root)?;
    step("prepare.loop").during("opening the image file")?;
    // Else it would be shown as the store that is only about to be on the stick.
    let options = LoopOptions {
        locked: true,
        ..LoopOptions::default()
    };
    let image = Loop::attach(file.as_fd(), options).during("opening the image file")?;
    let device = BlockDevice::open(image.node(), Access::Write).during("opening the image file")?;
    format::make_store(work, &device)?;
    drop((device, image));
    fsync(&file)
        .map_err(os("writing the image file"))
        .during("writing the image file")
}

/// Writes the whole file: a hole in it would be a promise that the medium may not keep.
fn allocate(work: &Work<'_>, root: &DetachedMount) -> Result<OwnedFd> {
    let what = "writing the image file";
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    let fd = dir::open_beneath(root, UNFINISHED, flags).during(what)?;
    let size = work.plan.place.size;
    work.watch.total(size, 1);
    if reserves(holder(work.found)) {
        fallocate(&fd, FallocateFlags::empty(), 0, size)
            .map_err(os(what))
            .during(what)?;
        work.watch.advance(size, 1);
        return Ok(fd);
    }
    write_zeros(work, &fd, size)?;
    Ok(fd)
}

fn write_zeros(work: &Work<'_>, fd: &OwnedFd, size: u64) -> Result<()> {
    let what = "writing the image file";
    let zeros = vec![0; CHUNK];
    let mut position = 0;
    while position < size {
        work.watch.cancel().check().during(what)?;
        let left = usize::try_from(size - position).unwrap_or(CHUNK).min(CHUNK);
        let written = rustix::io::pwrite(fd, &zeros[..left], position)
            .map_err(os(what))
            .during(what)? as u64;
        // Kept from piling up in memory, where neither progress nor a full medium would show.
        rustix::fs::fdatasync(fd).map_err(os(what)).during(what)?;
        work.watch.advance(written, 0);
        position += written;
    }
    Ok(())
}

/// Gives the image its name, and tells where it is.
fn publish(work: &Work<'_>, root: &DetachedMount) -> Result<()> {
    let (what, image) = ("naming the image file", work.plan.place.image);
    step("prepare.rename").during(what)?;
    renameat(root, UNFINISHED, root, image)
        .map_err(os(what))
        .during(what)?;
    mount::syncfs(root).during(what)?;
    step("prepare.outer-marker").during(what)?;
    format::write_marker(root, &work.record(Some(image)))
}

/// The filesystem that would hold the image, if it can.
fn holder(found: &Found) -> Option<&'static str> {
    let fs_type = mount::kernel_name(&found.content.as_ref()?.fs_type);
    HOLDERS.into_iter().find(|holder| *holder == fs_type)
}

/// Where reserving room for a file is quick and certain. FAT would write it without saying how far
/// it is.
fn reserves(fs_type: Option<&str>) -> bool {
    matches!(fs_type, Some("ext4" | "xfs" | "btrfs"))
}

fn mount_to_look(fs_type: &str, device: &BlockDevice) -> Result<DetachedMount> {
    // Else even a read-only mount replays the journal, which is a write.
    let params: &[(&str, Option<&str>)] = match fs_type {
        "ext4" | "ext3" => &[("noload", None)],
        "xfs" => &[("norecovery", None)],
        "btrfs" => &[("rescue", Some("nologreplay"))],
        _ => &[],
    };
    mount_as(fs_type, device, params, MountFlags::UNTRUSTED).during("looking into the filesystem")
}

/// A mount that was for looking, and is gone, may forbid one for writing a moment longer.
fn mount_as(
    fs_type: &str,
    device: &BlockDevice,
    params: &[(&str, Option<&str>)],
    flags: MountFlags,
) -> wendy_sys::Result<DetachedMount> {
    patiently(FOR_DEVICE, || {
        mount::of_device(fs_type, device, params, flags)
    })
}

/// Refuses a filesystem that is a store itself, or whose marker leads to another image: it has one
/// marker, and nobody would find that store any more. A marker that makes no sense leads nowhere.
fn check_marker(root: &DetachedMount, image: &str) -> Result<()> {
    let what = "the filesystem on the medium";
    let Ok(marker) = records::read_store(root.as_fd(), StoreId::random(), what) else {
        return Ok(());
    };
    let name = marker.name.as_str();
    match marker.image.as_deref() {
        Some(same) if same == image => Ok(()),
        Some(other) if file_size(root.as_fd(), other)?.is_none() => Ok(()),
        Some(other) => Err(Error::NotSupported(format!(
            "the store {name:?} is on the medium already, in the file {other:?}; save to that one, or \
             remove the file first"
        ))),
        None => Err(Error::NotSupported(format!(
            "{what} is the store {name:?} already; save to that one, or prepare all of it"
        ))),
    }
}

fn file_size(root: BorrowedFd<'_>, name: &str) -> Result<Option<u64>> {
    match statat(root, Path::new(name), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
            Ok(Some(u64::try_from(stat.st_size).unwrap_or(0)))
        }
        Ok(_) => Err(Error::NotSupported(format!(
            "{name:?} on the medium is no ordinary file; rename it first"
        ))),
        Err(Errno::NOENT) => Ok(None),
        // As the power or the plug leaves it when it goes in the middle of a write.
        Err(Errno::IO | Errno::UCLEAN) => Err(Error::Corrupt {
            what: "the filesystem on the medium".to_owned(),
            why: "a name cannot be read; check it with fsck and try again".to_owned(),
        }),
        Err(errno) => {
            Err(os("looking for an image file")(errno)).during("looking for an image file")
        }
    }
}

fn remove(dir: BorrowedFd<'_>, name: &str) -> Result<()> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(os("removing the old image")(errno)).during("removing the old image"),
    }
}
