//! Recordings: every write to a stick, so that the stick can be had as it was after any of them.
//!
//! A machine sends a USB stick one write at a time and counts a write as lasting as soon as it is
//! answered. So what a power cut leaves is what was written up to some write, and nothing else.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};

use super::stick::Stick;

/// The emulator writes what the kernel's dm-log-writes writes (drivers/md/dm-log-writes.c): one
/// sector of its own, then for each request a sector that describes it and the sectors written. Only
/// a discard brings no sectors along. All numbers are little-endian.
const SECTOR: u64 = 512;
const DISCARD: u64 = 1 << 2;

/// What was written to a stick while it was plugged in as [`super::Plug::Recorded`].
#[derive(Debug)]
pub struct Recording<'a> {
    stick: &'a Stick,
    writes: Vec<Write>,
}

/// What is at one place in the log went to another on the stick; all in bytes.
#[derive(Debug, Clone, Copy)]
struct Write {
    in_log: u64,
    on_stick: u64,
    length: u64,
}

impl Recording<'_> {
    /// Reads the recording of a stick that has been pulled out.
    pub fn of(stick: &Stick) -> Result<Recording<'_>> {
        let log = File::open(stick.log()).context("the stick was not recorded")?;
        let mut writes = Vec::new();
        let mut position = SECTOR;
        while let Some((write, next)) = read_request(&log, position)? {
            writes.extend(write);
            position = next;
        }
        Ok(Recording { stick, writes })
    }

    /// How many writes there were.
    pub fn writes(&self) -> usize {
        self.writes.len()
    }

    /// The stick as it was after so many of them.
    pub fn after(&self, writes: usize) -> Result<Stick> {
        let before = self.stick.before();
        let size = before.metadata()?.len();
        let stick = Stick::written(self.stick.serial(), size, &before)?;
        let log = File::open(self.stick.log())?;
        let file = File::options().write(true).open(stick.file())?;
        for write in &self.writes[..writes] {
            let mut bytes = vec![0; usize::try_from(write.length)?];
            log.read_exact_at(&mut bytes, write.in_log)?;
            file.write_all_at(&bytes, write.on_stick)?;
        }
        Ok(stick)
    }
}

/// The request that is described at `position`, if it wrote something, and where the next one is.
fn read_request(log: &File, position: u64) -> Result<Option<(Option<Write>, u64)>> {
    let mut header = [0; 24];
    match log.read_exact_at(&mut header, position) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let [sector, sectors, flags] = [0, 8, 16].map(|at| {
        let bytes = header[at..].first_chunk::<8>().copied();
        u64::from_le_bytes(bytes.unwrap_or_default())
    });
    ensure!(flags < 1 << 4, "no description of a request: {header:?}");
    let write = Write {
        in_log: position + SECTOR,
        on_stick: sector * SECTOR,
        length: sectors * SECTOR,
    };
    if flags & DISCARD != 0 {
        return Ok(Some((None, write.in_log)));
    }
    let written = (write.length > 0).then_some(write);
    Ok(Some((written, write.in_log + write.length)))
}
