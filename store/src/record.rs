//! The records on a store: of the store itself, of a session, of a generation.
//!
//! Each is an [`Info`] file. A record remembers the file it was read from, so that what this
//! version does not know survives when it is rewritten. Records of a newer format can be read
//! as far as they are understood and are never written.

use std::{fmt::Display, str::FromStr};

use crate::{FORMAT, Info, InfoError, Name, NameError};

mod generation;
mod session;
mod store;

pub use generation::{Consistency, GenerationFacts, GenerationRecord};
pub use session::SessionRecord;
pub use store::StoreRecord;

/// The version of the format a record was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Format(u32);

/// Why a record cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The file itself is malformed.
    #[error(transparent)]
    Info(#[from] InfoError),
    /// A needed entry is not there.
    #[error("the entry {0} is missing")]
    Missing(&'static str),
    /// An entry has a value that means nothing to this version.
    #[error("the entry {key} is not understood: {why}")]
    Malformed {
        /// The entry.
        key: &'static str,
        /// What it should be.
        why: String,
    },
    /// The name breaks a rule.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The record was written by a newer wendy.
    #[error(
        "it was written by a newer wendy (format {found}, this one knows {FORMAT}) and can only be \
         read; update wendy to change it"
    )]
    Newer {
        /// The version found.
        found: u32,
    },
}

impl Format {
    /// What this wendy writes.
    pub const CURRENT: Self = Self(FORMAT);

    /// The version number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// Whether a record of this format may be changed.
    ///
    /// # Errors
    /// [`RecordError::Newer`], whose text is fit for the person who asked.
    pub fn writable(self) -> Result<(), RecordError> {
        if self.0 > FORMAT {
            Err(RecordError::Newer { found: self.0 })
        } else {
            Ok(())
        }
    }

    /// The version of a record; one without is of the first format, whose marker needs no more
    /// than a name.
    fn of(info: &Info) -> Result<Self, RecordError> {
        info.get("format")
            .map_or(Ok(Self(1)), |text| parse_value("format", text).map(Self))
    }
}

fn name(info: &Info) -> Result<Name, RecordError> {
    Ok(Name::new(
        info.get("name").ok_or(RecordError::Missing("name"))?,
    )?)
}

fn required<T: FromStr<Err: Display>>(info: &Info, key: &'static str) -> Result<T, RecordError> {
    optional(info, key)?.ok_or(RecordError::Missing(key))
}

fn optional<T: FromStr<Err: Display>>(
    info: &Info,
    key: &'static str,
) -> Result<Option<T>, RecordError> {
    info.get(key).map(|text| parse_value(key, text)).transpose()
}

fn parse_value<T: FromStr<Err: Display>>(key: &'static str, text: &str) -> Result<T, RecordError> {
    text.parse().map_err(|why: T::Err| RecordError::Malformed {
        key,
        why: why.to_string(),
    })
}

fn set_some<T: Display>(
    info: &mut Info,
    key: &'static str,
    value: Option<&T>,
) -> Result<(), InfoError> {
    value.map_or(Ok(()), |value| info.set(key, value))
}

#[cfg(test)]
mod tests;
