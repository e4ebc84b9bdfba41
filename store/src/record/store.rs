//! The record of a store.

use super::{Format, RecordError, name, optional, set_some};
use crate::{FORMAT, Info, Name, StoreId};

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

/// The image stands in the root of its medium, so its name has no slash and is no dot.
fn image_file(text: &str) -> Result<String, RecordError> {
    if text.is_empty() || text.contains('/') || matches!(text, "." | "..") {
        let why = "it must be the name of a file in the root of the medium".to_owned();
        return Err(RecordError::Malformed { key: "image", why });
    }
    Ok(text.to_owned())
}
