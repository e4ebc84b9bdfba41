//! Reading and writing the records of a store.

use std::os::fd::BorrowedFd;

use wendy_store::{
    Format, GenerationRecord, RecordError, SessionRecord, StoreId, StoreRecord, info, layout,
};
use wendy_sys::{Errno, dir};

use crate::error::{During, Error, Result};

/// Reads the marker in the root of a store. `fallback` is who it is if the marker does not say.
///
/// # Errors
/// [`Error::NotFound`] without a marker, [`Error::Corrupt`] if it cannot be understood.
pub fn read_store(root: BorrowedFd<'_>, fallback: StoreId, what: &str) -> Result<StoreRecord> {
    let bytes = read(root, layout::MARKER, what)?;
    StoreRecord::parse(&bytes, fallback).map_err(|error| corrupt(what, &error))
}

/// Writes the marker into the directory `casper`.
///
/// # Errors
/// [`Error::NewerFormat`], or of the kernel.
pub fn write_store(casper: BorrowedFd<'_>, record: &StoreRecord) -> Result<()> {
    write(
        casper,
        record.render(),
        &format!("the store {:?}", record.name.as_str()),
    )
}

/// Reads the record in the directory of a session.
///
/// # Errors
/// As [`read_store`].
pub fn read_session(session: BorrowedFd<'_>, what: &str) -> Result<SessionRecord> {
    let bytes = read(session, layout::RECORD, what)?;
    SessionRecord::parse(&bytes).map_err(|error| corrupt(what, &error))
}

/// Writes the record into the directory of a session.
///
/// # Errors
/// As [`write_store`].
pub fn write_session(session: BorrowedFd<'_>, record: &SessionRecord) -> Result<()> {
    write(
        session,
        record.render(),
        &format!("the session {:?}", record.name.as_str()),
    )
}

/// Reads the record in the directory of a generation.
///
/// # Errors
/// As [`read_store`].
pub fn read_generation(generation: BorrowedFd<'_>, what: &str) -> Result<GenerationRecord> {
    let bytes = read(generation, layout::RECORD, what)?;
    GenerationRecord::parse(&bytes).map_err(|error| corrupt(what, &error))
}

/// Writes the record into the directory of a generation.
///
/// # Errors
/// As [`write_store`].
pub fn write_generation(generation: BorrowedFd<'_>, record: &GenerationRecord) -> Result<()> {
    write(
        generation,
        record.render(),
        &format!("generation {}", record.generation),
    )
}

/// Refuses to change what a newer wendy has written.
///
/// # Errors
/// [`Error::NewerFormat`].
pub fn check_format(format: Format, what: &str) -> Result<()> {
    format.writable().map_err(|error| unwritable(what, &error))
}

fn read(dir: BorrowedFd<'_>, path: &str, what: &str) -> Result<Vec<u8>> {
    dir::read_small(dir, path, info::MAX_BYTES).map_err(|error| match error.errno() {
        Some(Errno::NOENT | Errno::NOTDIR) => Error::NotFound(format!("the record of {what}")),
        Some(Errno::LOOP) => damaged(what, "its record is a link"),
        None => damaged(what, &error.to_string()),
        Some(_) => Error::System {
            what: format!("reading the record of {what}"),
            source: error,
        },
    })
}

fn write(
    dir: BorrowedFd<'_>,
    rendered: std::result::Result<Vec<u8>, RecordError>,
    what: &str,
) -> Result<()> {
    let bytes = rendered.map_err(|error| unwritable(what, &error))?;
    dir::write_atomic(dir, layout::RECORD, &bytes, 0o644).during("writing a record")
}

fn unwritable(what: &str, error: &RecordError) -> Error {
    match *error {
        RecordError::Newer { found } => Error::NewerFormat {
            what: what.to_owned(),
            format: found,
        },
        _ => corrupt(what, error),
    }
}

fn corrupt(what: &str, error: &RecordError) -> Error {
    damaged(what, &error.to_string())
}

fn damaged(what: &str, why: &str) -> Error {
    Error::Corrupt {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}
