//! The record of a session.

use super::{Format, RecordError, name, required};
use crate::{BaseImage, FORMAT, Info, Name, SessionId, Stack, UpperKind};

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
