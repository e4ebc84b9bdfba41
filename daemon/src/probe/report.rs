//! What the probe saw, as it crosses from its process to the daemon's.
//!
//! Plain facts in strict types; nothing in here has been judged. Contents of records cross as the
//! bytes that were read, so that only the daemon parses them.

use serde::{Deserialize, Serialize};
use wendy_store::media::EntryKind;

/// What was seen on one filesystem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Room on it.
    pub space: Space,
    /// Whether it was left in order: no journal to replay, no error noted. Only known for ext4.
    pub clean: bool,
    /// Whether the kernel noted errors in it. Only known for ext4.
    pub needs_check: bool,
    /// Entries of its root, not more than a few hundred.
    pub root: Vec<(String, Kind)>,
    /// Entries of `/LiveOS`.
    pub live_os: Vec<(String, Kind)>,
    /// Content of `/persistence.conf`.
    pub persistence_conf: Option<String>,
    /// Whether there is a `/.disk/info`.
    pub disk_info: bool,
    /// Content of `/casper/.info`.
    pub marker: Option<Text>,
    /// Target of `/casper/default`.
    pub default: Option<String>,
    /// What lies in `/casper/sessions`.
    pub sessions: Vec<SessionSeen>,
    /// Whether there was more than a report has room for.
    pub left_out: bool,
    /// A file in its root that holds a filesystem with a marker.
    pub image: Option<Box<Image>>,
    /// Filesystems that left their mark, where only marks were looked for.
    pub marks: Vec<String>,
}

/// Room on a filesystem, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// In all.
    pub size: u64,
    /// Free.
    pub free: u64,
}

/// One directory in `/casper/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSeen {
    /// Its name, an id.
    pub id: String,
    /// Its record.
    pub record: Option<Text>,
    /// Target of its `current`.
    pub current: Option<String>,
    /// The record of the generation that `current` names, if its upper layer is there too.
    pub generation: Option<Text>,
}

/// A filesystem in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Name of the file in the root.
    pub file: String,
    /// What was seen in it.
    pub report: Report,
}

/// Bytes of a file as they were read: text where they are UTF-8, numbers where not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Text {
    /// UTF-8.
    Utf8(String),
    /// Anything else.
    Bytes(Vec<u8>),
    /// More than such a file may have.
    TooLarge,
}

impl Text {
    /// From what was read.
    pub fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Utf8)
    }

    /// The bytes, unless there were too many.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Utf8(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            Self::TooLarge => None,
        }
    }
}

/// [`EntryKind`] in the report's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

impl From<Kind> for EntryKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Directory => Self::Directory,
            Kind::Link => Self::Link,
            Kind::Other => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_crosses_unchanged() {
        let session = SessionSeen {
            id: "x".into(),
            record: Some(Text::new(vec![0xFF, b'=', b'1'])),
            current: Some("generations/1".into()),
            generation: Some(Text::TooLarge),
        };
        let inner = Report {
            sessions: vec![session],
            ..Report::default()
        };
        let image = Some(Box::new(Image {
            file: "persistence".into(),
            report: inner,
        }));
        let marker = Some(Text::new(b"name=\xc3\xa4\n".to_vec()));
        let root = vec![("casper".to_owned(), Kind::Directory)];
        let report = Report {
            root,
            marker,
            image,
            ..Report::default()
        };
        let json = serde_json::to_vec(&report).unwrap();
        assert_eq!(serde_json::from_slice::<Report>(&json).unwrap(), report);
    }

    #[test]
    fn what_is_unknown_is_refused() {
        let mut json = serde_json::to_value(Report::default()).unwrap();
        json["more"] = 1.into();
        assert!(serde_json::from_value::<Report>(json).is_err());
    }
}
