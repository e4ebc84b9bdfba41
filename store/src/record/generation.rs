//! The record of a generation.

use std::str::FromStr;

use super::{RecordError, required};
use crate::{FORMAT, Generation, Info, stack::UnknownKind};

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
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Frozen, Self::Settled, Self::CrashConsistent]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKind)
    }
}
