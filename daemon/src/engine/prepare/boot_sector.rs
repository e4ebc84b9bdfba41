//! The first sector of a disk, which a BIOS runs.
//!
//! A GPT needs no more of it than an entry that tells old tools to keep off, and sfdisk writes that
//! entry and nothing beside it. Images made for sticks have an entry there that is marked active,
//! because some BIOSes start from nothing else.

use rustix::io::{pread, pwrite};
use wendy_sys::{Errno, block::BlockDevice};

use crate::error::{During, Error, Result, os};

const WHAT: &str = "keeping the boot sector";

/// Puts the boot sector back as it was after `edit` has written a GPT, whether well or not.
pub(super) fn keeping(disk: &BlockDevice, edit: impl FnOnce() -> Result<()>) -> Result<()> {
    let before = read(disk)?;
    let edited = edit();
    let kept = put_back(disk, &before);
    edited.and(kept)
}

fn put_back(disk: &BlockDevice, before: &[u8; 512]) -> Result<()> {
    if read(disk)? == *before {
        return Ok(());
    }
    match pwrite(disk, before, 0) {
        Ok(written) if written == before.len() => disk.fsync().during(WHAT),
        other => Err(failed(other.err())),
    }
}

fn read(disk: &BlockDevice) -> Result<[u8; 512]> {
    let mut sector = [0; 512];
    match pread(disk, &mut sector, 0) {
        Ok(length) if length == sector.len() => Ok(sector),
        other => Err(failed(other.err())),
    }
}

fn failed(errno: Option<Errno>) -> Error {
    Error::System {
        what: WHAT.to_owned(),
        source: os(WHAT)(errno.unwrap_or(Errno::IO)),
    }
}
