//! The log: frames of records, appended and read until the first that is not there.
//!
//! # On the medium
//!
//! Frames start at multiples of 8, the first at 0:
//!
//! | offset | field |
//! |---|---|
//! | 0 | magic `WLF1` |
//! | 4 | payload length `u32` |
//! | 8 | CRC-32C `u32` of bytes 16 to the end of the payload |
//! | 12 | zero `u32` |
//! | 16 | sequence number `u64`: one more with every frame, across both logs |
//! | 24 | epoch `u64`: that of the superblock under which it was written |
//! | 32 | payload: [records](crate::record) |
//!
//! The next frame follows at once or, after a sync, at the next multiple of 4096. A reader that
//! finds no frame tries the next multiple of 4096, and there it ends. A frame counts only with the
//! sequence number after its predecessor's and an epoch not below: what an earlier use left behind
//! a torn frame never comes back.

use crate::codec::{Reader, Writer};
use crate::medium::MediumFile;
use crate::record::Record;
use std::io;

use super::LOG_SIZE;

const MAGIC: [u8; 4] = *b"WLF1";
const HEADER: usize = 32;
const CRC_FROM: usize = 16;
const BLOCK: u64 = 4096;
const ALIGN: u64 = 8;
/// Memory kept from one frame to the next.
const BUFFER_MAX: usize = 16 << 10;

/// One frame as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Number of the change.
    pub sequence: u64,
    /// Use of the medium it was made in.
    pub epoch: u64,
    /// Records.
    pub payload: &'a [u8],
    /// Where in the log the frame ends.
    pub end: u64,
}

/// The writing end of a log.
#[derive(Debug)]
pub struct Log {
    position: u64,
    epoch: u64,
    /// Memory for the next frame.
    buffer: Vec<u8>,
}

impl Log {
    /// Continues a log at the block after `end`.
    #[must_use]
    pub fn after(end: u64, epoch: u64) -> Self {
        Self {
            position: end.next_multiple_of(BLOCK),
            epoch,
            buffer: Vec::new(),
        }
    }

    /// Where the next frame goes.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether a frame with `payload` bytes of records fits.
    #[must_use]
    pub fn has_room(&self, payload: u64) -> bool {
        self.position + frame_size(payload) <= LOG_SIZE
    }

    /// Writes one frame of `records`; says how many bytes they have.
    ///
    /// # Errors
    /// `StorageFull` if it does not fit, else those of pwrite(2); the frame does not count then.
    pub fn append(
        &mut self,
        file: &impl MediumFile,
        sequence: u64,
        records: &[Record],
    ) -> io::Result<u64> {
        let mut out = Writer::reusing(std::mem::take(&mut self.buffer));
        write_frame(&mut out, sequence, self.epoch, records);
        self.buffer = out.into_bytes();
        let payload = (self.buffer.len() - HEADER) as u64;
        if !self.has_room(payload) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_at(&self.buffer, self.position)?;
        self.position += frame_size(payload);
        if self.buffer.capacity() > BUFFER_MAX {
            self.buffer = Vec::new();
        }
        Ok(payload)
    }

    /// Lets the next frame start a block of its own.
    pub fn close_block(&mut self) {
        self.position = self.position.next_multiple_of(BLOCK);
    }
}

/// The bytes of `records`.
#[must_use]
pub fn payload(records: &[Record]) -> Vec<u8> {
    let mut out = Writer::default();
    records.iter().for_each(|record| record.write(&mut out));
    out.into_bytes()
}

/// The frames of a log up to the first that is missing.
#[must_use]
pub fn frames(log: &[u8]) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut position = 0;
    loop {
        let found = frame_at(log, position).filter(|frame| follows(frame, frames.last()));
        let block = position.next_multiple_of(BLOCK);
        match found {
            Some(frame) => {
                position = frame.end;
                frames.push(frame);
            }
            None if block > position => position = block,
            None => return frames,
        }
    }
}

fn follows(frame: &Frame<'_>, last: Option<&Frame<'_>>) -> bool {
    last.is_none_or(|last| frame.sequence == last.sequence + 1 && frame.epoch >= last.epoch)
}

fn write_frame(out: &mut Writer, sequence: u64, epoch: u64, records: &[Record]) {
    out.raw(&[0; CRC_FROM]);
    out.u64(sequence);
    out.u64(epoch);
    records.iter().for_each(|record| record.write(out));
    let bytes = out.bytes_mut();
    let length = u32::try_from(bytes.len() - HEADER).expect("a frame is smaller than the log");
    let crc = crc32c::crc32c(&bytes[CRC_FROM..]);
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
}

fn frame_at(log: &[u8], position: u64) -> Option<Frame<'_>> {
    let bytes = log.get(usize::try_from(position).ok()?..)?;
    let mut from = Reader::new(bytes);
    if from.array()? != MAGIC {
        return None;
    }
    let length = usize::try_from(from.u32()?).ok()?;
    let crc = from.u32()?;
    let body = bytes.get(CRC_FROM..HEADER.checked_add(length)?)?;
    if crc != crc32c::crc32c(body) {
        return None;
    }
    let mut from = Reader::new(body);
    let sequence = from.u64().filter(|sequence| *sequence < u64::MAX)?;
    let epoch = from.u64()?;
    let end = position + frame_size(length as u64);
    Some(Frame {
        sequence,
        epoch,
        payload: from.raw(length)?,
        end,
    })
}

fn frame_size(payload: u64) -> u64 {
    (HEADER as u64 + payload).next_multiple_of(ALIGN)
}
