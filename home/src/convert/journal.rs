//! Which of two homes is in force while one becomes the other.
//!
//! `.wendy/convert.0` says that a conversion is going on, `.wendy/convert.1` that the new home is in
//! force. Both are made before anything else, 512 bytes each, and the second is written in place:
//! one sector, the smallest step a medium knows. A torn one does not count.
//!
//! | offset | field |
//! |---|---|
//! | 0 | magic `WENDYCNV` |
//! | 8 | format `u32`: 1 |
//! | 12 | CRC-32C `u32` of bytes 16 to 511 |
//! | 16 | `u8` 0 for the file 0, 1 for the file 1 |
//! | 17 | what the home becomes `u8`: 0 files, 1 an image |
//! | 18 | zeros |

use crate::codec::{Reader, Writer};
use crate::image::{ImageError, Result};
use crate::medium::directory::DirectoryMedium;
use crate::medium::{Medium, MediumFile};
use crate::mode::Mode;
use crate::names::PRIVATE_DIR;
use std::io;

const FILES: [&str; 2] = [".wendy/convert.0", ".wendy/convert.1"];
/// Bytes of each file.
pub const SIZE: usize = 512;
const MAGIC: [u8; 8] = *b"WENDYCNV";
const FORMAT: u32 = 1;
const CRC_FROM: usize = 16;

/// A conversion that is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// What the home becomes.
    pub to: Mode,
    /// Whether the new home is in force.
    pub switched: bool,
}

impl Conversion {
    /// The home that is there, whole.
    #[must_use]
    pub fn in_force(self) -> Mode {
        if self.switched {
            self.to
        } else {
            self.to.other()
        }
    }
}

/// What the journal says.
///
/// # Errors
/// [`ImageError::Size`] for one of a newer version, those of the medium.
pub fn read(medium: &DirectoryMedium) -> Result<Option<Conversion>> {
    let Some(to) = read_sector(medium, 0)? else {
        return Ok(None);
    };
    let switched = read_sector(medium, 1)? == Some(to);
    Ok(Some(Conversion { to, switched }))
}

/// Notes that a conversion begins, durably.
///
/// # Errors
/// Those of the medium.
pub fn begin(medium: &DirectoryMedium, to: Mode) -> Result<()> {
    end(medium)?;
    match medium.make_dir(PRIVATE_DIR) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    for (number, bytes) in [(1, [0; SIZE]), (0, sector(0, to))] {
        let file = medium.create(FILES[number])?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
    }
    medium.sync_dirs(&[PRIVATE_DIR.into()])?;
    Ok(medium.sync_all()?)
}

/// Puts the new home in force. Everything of it must be durable.
///
/// # Errors
/// Those of the medium.
pub fn switch(medium: &DirectoryMedium, to: Mode) -> Result<()> {
    let file = medium.open(FILES[1])?;
    file.write_at(&sector(1, to), 0)?;
    Ok(file.sync_data()?)
}

/// Notes that the conversion is over, durably. What is left must be one home, by itself.
///
/// # Errors
/// Those of the medium.
pub fn end(medium: &DirectoryMedium) -> Result<()> {
    // In this order: without the first file there is no conversion, but without the second one that
    // has switched would be undone.
    for path in FILES {
        match medium.unlink(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        medium.sync_all()?;
    }
    Ok(())
}

/// What the home becomes by the bytes of file `number`, 0 or 1; `None` when they do not count.
///
/// # Errors
/// [`ImageError::Size`] for one of a newer version.
pub fn parse(bytes: &[u8; SIZE], number: usize) -> Result<Option<Mode>> {
    let mut head = Reader::new(bytes);
    let (magic, format, crc) = (head.array(), head.u32(), head.u32());
    if magic != Some(MAGIC) || crc != Some(crc32c::crc32c(&bytes[CRC_FROM..])) {
        return Ok(None);
    }
    if format != Some(FORMAT) {
        return Err(ImageError::Size(
            "a newer wendy-home is converting this home: use that one".into(),
        ));
    }
    Ok(
        match (usize::from(bytes[CRC_FROM]) == number, bytes[CRC_FROM + 1]) {
            (true, 0) => Some(Mode::Files),
            (true, 1) => Some(Mode::Image),
            _ => None,
        },
    )
}

fn read_sector(medium: &DirectoryMedium, number: usize) -> Result<Option<Mode>> {
    let file = match medium.open(FILES[number]) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = [0; SIZE];
    file.read_at(&mut bytes, 0)?;
    parse(&bytes, number)
}

fn sector(number: u8, to: Mode) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    bytes[CRC_FROM] = number;
    bytes[CRC_FROM + 1] = u8::from(to == Mode::Image);
    let mut head = Writer::default();
    head.raw(&MAGIC);
    head.u32(FORMAT);
    head.u32(crc32c::crc32c(&bytes[CRC_FROM..]));
    bytes[..CRC_FROM].copy_from_slice(&head.into_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium() -> (tempfile::TempDir, DirectoryMedium) {
        let dir = tempfile::tempdir().unwrap();
        let medium = DirectoryMedium::open(dir.path()).unwrap();
        (dir, medium)
    }

    #[test]
    fn the_old_home_is_in_force_until_the_switch() {
        let (_dir, medium) = medium();
        assert_eq!(read(&medium).unwrap(), None);
        for to in [Mode::Files, Mode::Image] {
            begin(&medium, to).unwrap();
            assert_eq!(read(&medium).unwrap().unwrap().in_force(), to.other());
            switch(&medium, to).unwrap();
            assert_eq!(read(&medium).unwrap().unwrap().in_force(), to);
            end(&medium).unwrap();
            assert_eq!(read(&medium).unwrap(), None);
        }
    }

    #[test]
    fn a_torn_switch_has_not_happened() {
        let whole = sector(1, Mode::Image);
        for end in 0..SIZE {
            let mut torn = [0; SIZE];
            torn[..end].copy_from_slice(&whole[..end]);
            let read = parse(&torn, 1).unwrap();
            // Behind the fields there is nothing but zeros to be missing.
            assert_eq!(read.is_some(), torn == whole, "torn at {end}");
        }
        assert_eq!(parse(&sector(0, Mode::Image), 1).unwrap(), None);
    }
}
