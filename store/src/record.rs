//! The records on a store: of the store itself, of a session, of a generation.
//!
//! Each is an [`Info`] file. A record remembers the file it was read from, so that what this
//! version does not know survives when it is rewritten. Records of a newer format can be read
//! as far as they are understood and are never written.

use std::{fmt::Display, str::FromStr};

use crate::{
    BaseImage, FORMAT, Generation, Info, InfoError, Name, NameError, SessionId, Stack, StoreId,
    UpperKind,
};

/// The version of the format a record was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Format(u32);

/// A store: its marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreRecord {
    /// Identity.
    pub id: StoreId,
    /// Name given by its owner.
    pub name: Name,
    /// Version of the format of the store.
    pub format: Format,
    /// When it was made, in Unix seconds; none on a store made by something else.
    pub created: Option<i64>,
    /// On a medium that cannot hold an upper layer itself: the file in its root that holds the
    /// filesystem of the store.
    pub image: Option<String>,
    source: Info,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Identity.
    pub id: SessionId,
    /// Name given by its owner.
    pub name: Name,
    /// Version of the format of the session.
    pub format: Format,
    /// The stack that boots it.
    pub stack: Stack,
    /// The kind of upper layer it keeps.
    pub upper: UpperKind,
    /// The base image it was made on.
    pub base: BaseImage,
    /// When it was first saved, in Unix seconds.
    pub created: i64,
    source: Info,
}

/// One complete save of a session. Written when all its data is on the medium and before it
/// becomes the current one, so that one rename changes data and facts together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationRecord {
    /// Its number.
    pub generation: Generation,
    /// When it was saved, in Unix seconds.
    pub saved: i64,
    /// Bytes of data in it.
    pub size: u64,
    /// Regular files in it.
    pub files: u64,
    /// Entries of every kind in it.
    pub entries: u64,
    /// Release of the kernel that ran.
    pub kernel: String,
    /// How far its files belong to one moment.
    pub consistency: Consistency,
    source: Info,
}

/// How far the files of a generation belong to one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Nothing could change while it was copied.
    Frozen,
    /// Nothing did change during the last pass over it.
    Settled,
    /// Something changed to the last: as after a power cut, each file may be of another moment.
    CrashConsistent,
}

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

impl StoreRecord {
    /// A new store made at `created` (Unix seconds).
    #[must_use]
    pub fn new(id: StoreId, name: Name, created: i64) -> Self {
        let source = Info::default();
        Self {
            id,
            name,
            format: Format::CURRENT,
            created: Some(created),
            image: None,
            source,
        }
    }

    /// Reads a marker. A marker needs no more than a name; `fallback` is the identity of a store
    /// whose marker has none.
    ///
    /// # Errors
    /// What is missing or not understood. A newer format is no error here.
    pub fn parse(bytes: &[u8], fallback: StoreId) -> Result<Self, RecordError> {
        let source = Info::parse(bytes)?;
        Ok(Self {
            id: optional(&source, "id")?.unwrap_or(fallback),
            name: name(&source)?,
            format: Format::of(&source)?,
            created: optional(&source, "created")?,
            image: source.get("image").map(image_file).transpose()?,
            source,
        })
    }

    /// The bytes of the marker.
    ///
    /// # Errors
    /// A newer format, or entries that do not fit.
    pub fn render(&self) -> Result<Vec<u8>, RecordError> {
        self.format.writable()?;
        let mut info = self.source.clone();
        info.set("name", &self.name)?;
        info.set("id", self.id)?;
        info.set("format", FORMAT)?;
        set_some(&mut info, "created", self.created.as_ref())?;
        set_some(&mut info, "image", self.image.as_ref())?;
        Ok(info.render()?)
    }
}

impl SessionRecord {
    /// A new session, described by what a record must have.
    #[must_use]
    pub fn new(id: SessionId, name: Name, stack: Stack, base: BaseImage, created: i64) -> Self {
        Self {
            id,
            name,
            format: Format::CURRENT,
            stack,
            upper: UpperKind::Overlayfs,
            base,
            created,
            source: Info::default(),
        }
    }

    /// Reads the record of a session.
    ///
    /// # Errors
    /// What is missing or not understood. A newer format is no error here as long as the
    /// entries of this one are there.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let source = Info::parse(bytes)?;
        Ok(Self {
            id: required(&source, "id")?,
            name: name(&source)?,
            format: Format::of(&source)?,
            stack: required(&source, "stack")?,
            upper: required(&source, "upper")?,
            base: required(&source, "base")?,
            created: required(&source, "created")?,
            source,
        })
    }

    /// The bytes of the record.
    ///
    /// # Errors
    /// A newer format, or entries that do not fit.
    pub fn render(&self) -> Result<Vec<u8>, RecordError> {
        self.format.writable()?;
        let mut info = self.source.clone();
        info.set("name", &self.name)?;
        info.set("id", self.id)?;
        info.set("format", FORMAT)?;
        info.set("stack", self.stack)?;
        info.set("upper", self.upper)?;
        info.set("base", &self.base)?;
        info.set("created", self.created)?;
        Ok(info.render()?)
    }
}

/// What a save found out; all that a new [`GenerationRecord`] says beside its number and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationFacts {
    /// Bytes of data.
    pub size: u64,
    /// Regular files.
    pub files: u64,
    /// Entries of every kind.
    pub entries: u64,
    /// Release of the running kernel.
    pub kernel: String,
    /// How far the files belong to one moment.
    pub consistency: Consistency,
}

impl GenerationRecord {
    /// A new save, made at `saved` (Unix seconds).
    #[must_use]
    pub fn new(generation: Generation, saved: i64, facts: GenerationFacts) -> Self {
        let GenerationFacts {
            size,
            files,
            entries,
            kernel,
            consistency,
        } = facts;
        let source = Info::default();
        Self {
            generation,
            saved,
            size,
            files,
            entries,
            kernel,
            consistency,
            source,
        }
    }

    /// Reads the record of a generation.
    ///
    /// # Errors
    /// What is missing or not understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let source = Info::parse(bytes)?;
        Ok(Self {
            generation: required(&source, "generation")?,
            saved: required(&source, "saved")?,
            size: required(&source, "size")?,
            files: required(&source, "files")?,
            entries: required(&source, "entries")?,
            kernel: required(&source, "kernel")?,
            consistency: required(&source, "consistency")?,
            source,
        })
    }

    /// The bytes of the record.
    ///
    /// # Errors
    /// Entries that do not fit.
    pub fn render(&self) -> Result<Vec<u8>, RecordError> {
        let mut info = self.source.clone();
        info.set("generation", self.generation)?;
        info.set("format", FORMAT)?;
        info.set("saved", self.saved)?;
        info.set("size", self.size)?;
        info.set("files", self.files)?;
        info.set("entries", self.entries)?;
        info.set("kernel", &self.kernel)?;
        info.set("consistency", self.consistency.as_str())?;
        Ok(info.render()?)
    }
}

impl Consistency {
    /// The word used in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Settled => "settled",
            Self::CrashConsistent => "crash-consistent",
        }
    }
}

impl FromStr for Consistency {
    type Err = crate::stack::UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Frozen, Self::Settled, Self::CrashConsistent]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(crate::stack::UnknownKind)
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

/// The image stands in the root of its medium, so its name has no slash and is no dot.
fn image_file(text: &str) -> Result<String, RecordError> {
    if text.is_empty() || text.contains('/') || matches!(text, "." | "..") {
        let why = "it must be the name of a file in the root of the medium".to_owned();
        return Err(RecordError::Malformed { key: "image", why });
    }
    Ok(text.to_owned())
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
