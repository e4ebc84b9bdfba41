//! The superblock: which checkpoint is in force.
//!
//! # On the medium
//!
//! 4096 bytes, little-endian, the rest zero:
//!
//! | offset | field |
//! |---|---|
//! | 0 | magic `WENDYHOM` |
//! | 8 | format `u32`: 1 |
//! | 12 | CRC-32C `u32` of bytes 16 to 4095 |
//! | 16 | generation `u64`: one more with every superblock written |
//! | 24 | home id, 16 bytes, random, made with the home |
//! | 40 | epoch `u64`: the generation with which the present or last use began |
//! | 48 | host id, 16 bytes: a hash of the machine that wrote it, or zeros |
//! | 64 | checkpoint's sequence number `u64` |
//! | 72 | checkpoint's length in bytes `u64` |
//! | 80 | checkpoint's CRC-32C `u32` |
//! | 84 | checkpoint's slot `u8`: 0 or 1 |
//! | 85 | clean `u8`: 1 after an orderly end, 0 while in use |
//!
//! Generations with an even number go to `super.0`, odd ones to `super.1`.

use crate::codec::{Reader, Writer};

/// The newest format this version reads and the one it writes.
pub const FORMAT: u32 = 1;
/// Bytes of a superblock.
pub const SIZE: usize = 4096;

const MAGIC: &[u8; 8] = b"WENDYHOM";
const BODY: usize = 16;

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// One more with every superblock written.
    pub generation: u64,
    /// Random identity of the home.
    pub home: [u8; 16],
    /// Generation with which this use began.
    pub epoch: u64,
    /// Which machine wrote it.
    pub host: [u8; 16],
    /// Last change in the checkpoint.
    pub sequence: u64,
    /// Bytes of the checkpoint.
    pub length: u64,
    /// CRC-32C of the checkpoint.
    pub crc: u32,
    /// File of the checkpoint.
    pub slot: u8,
    /// Whether the last use ended in order.
    pub clean: bool,
}

/// What a superblock's bytes turn out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A superblock.
    Valid(Superblock),
    /// One of a newer format.
    Newer(u32),
    /// None, or a damaged one.
    Invalid,
}

impl Superblock {
    /// Which of the two files it goes to.
    #[must_use]
    pub fn file(&self) -> usize {
        usize::from(self.generation % 2 == 1)
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Writer::default();
        body.u64(self.generation);
        body.raw(&self.home);
        body.u64(self.epoch);
        body.raw(&self.host);
        body.u64(self.sequence);
        body.u64(self.length);
        body.u32(self.crc);
        body.u8(self.slot);
        body.u8(u8::from(self.clean));
        let mut body = body.into_bytes();
        body.resize(SIZE - BODY, 0);
        let mut out = Writer::default();
        out.raw(MAGIC);
        out.u32(FORMAT);
        out.u32(crc32c::crc32c(&body));
        out.raw(&body);
        out.into_bytes()
    }

    /// Reads the bytes of a superblock file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Parsed {
        read(bytes).unwrap_or(Parsed::Invalid)
    }
}

fn read(bytes: &[u8]) -> Option<Parsed> {
    let bytes = bytes.get(..SIZE)?;
    let mut from = Reader::new(bytes);
    if from.array()? != *MAGIC {
        return None;
    }
    let (format, crc) = (from.u32()?, from.u32()?);
    if crc != crc32c::crc32c(&bytes[BODY..]) {
        return None;
    }
    if format > FORMAT {
        return Some(Parsed::Newer(format));
    }
    Some(Parsed::Valid(Superblock {
        generation: from.u64().filter(|generation| *generation < u64::MAX)?,
        home: from.array()?,
        epoch: from.u64()?,
        host: from.array()?,
        sequence: from.u64().filter(|sequence| *sequence < u64::MAX)?,
        length: from.u64()?,
        crc: from.u32()?,
        slot: from.u8().filter(|slot| *slot <= 1)?,
        clean: from.u8()? != 0,
    }))
}
