//! Editing a GPT on a disk whose first sector stays as it is.
//!
//! sfdisk writes that sector with every GPT: an entry that tells old tools to keep off, and nothing
//! beside it. Images made for sticks have an entry there that is marked active, because some BIOSes
//! start from nothing else. So sfdisk gets a copy of the table in memory, and what it changes there
//! is written to the disk.

use std::{
    fs::File,
    io,
    ops::Range,
    os::{fd::AsFd, unix::fs::FileExt},
};

use rustix::fs::{MemfdFlags, memfd_create};
use wendy_sys::{
    block::{Access, BlockDevice},
    loopdev::{Loop, LoopOptions},
    step,
};

use crate::error::{During, Result};

const WHAT: &str = "writing the partition table";

/// Both copies of a GPT lie within this distance of an end of the disk.
const MARGIN: u64 = 1 << 20;

/// Lets `edit` change the GPT of a disk, and waits until the change is on the medium.
///
/// The copy at the end of the disk comes first (UEFI 2.10, 5.3.2). The one that counts is changed by a
/// single write: interrupted before it, the table is what it was.
pub(super) fn edit(
    disk: &BlockDevice,
    edit: impl FnOnce(&BlockDevice) -> Result<()>,
) -> Result<()> {
    let sector_size = disk.sector_size().during(WHAT)?;
    let end = disk.identity().size;
    let disk = File::from(disk.fd().try_clone_to_owned().during(WHAT)?);
    let copy = copy_of(&disk, end).during(WHAT)?;
    let options = LoopOptions {
        locked: true,
        sector_size,
        ..LoopOptions::default()
    };
    let attached = Loop::attach(copy.as_fd(), options).during(WHAT)?;
    edit(&BlockDevice::open(attached.node(), Access::Write).during(WHAT)?)?;
    write_changes(&copy, &disk, end - MARGIN..end).during(WHAT)?;
    step("prepare.entry").during(WHAT)?;
    write_changes(&copy, &disk, sector_size.into()..MARGIN).during(WHAT)
}

/// A file in memory as large as the disk, with what is at the ends of that.
fn copy_of(disk: &File, end: u64) -> io::Result<File> {
    let copy = File::from(memfd_create("partition table", MemfdFlags::CLOEXEC)?);
    copy.set_len(end)?;
    for place in [0..MARGIN, end - MARGIN..end] {
        copy.write_all_at(&read(disk, &place)?, place.start)?;
    }
    Ok(copy)
}

/// Writes everything from the first byte that differs to the last one, and waits for the medium.
fn write_changes(copy: &File, disk: &File, place: Range<u64>) -> io::Result<()> {
    let (old, new) = (read(disk, &place)?, read(copy, &place)?);
    let same = |(old, new): (&u8, &u8)| old == new;
    let before = old.iter().zip(&new).take_while(|pair| same(*pair)).count();
    let behind = old
        .iter()
        .zip(&new)
        .rev()
        .take_while(|pair| same(*pair))
        .count();
    let changed = new.get(before..new.len() - behind).unwrap_or_default();
    disk.write_all_at(changed, place.start + before as u64)?;
    disk.sync_all()
}

fn read(file: &File, place: &Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(place.end - place.start).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, place.start)?;
    Ok(bytes)
}
