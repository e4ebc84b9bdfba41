//! The `name=value` file: one entry per line, as in the marker `/casper/.info`.
//!
//! ```text
//! # a comment, kept when the file is rewritten
//! name=My stick
//! ```
//!
//! The value is everything after the first `=`, without quoting and without trimming. Blank
//! lines and lines that begin with `#` are kept in place, and so are keys this version does not
//! know: a newer wendy or another program may need them. Everything else is refused with the
//! number of its line, because a file that was damaged or written by hand in error must not be
//! half understood.

use std::{collections::BTreeSet, fmt::Display};

/// The most bytes such a file may have.
pub const MAX_BYTES: usize = 64 * 1024;

/// The most bytes a key may have.
pub const MAX_KEY_BYTES: usize = 64;

/// An ordered `name=value` file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    lines: Vec<Line>,
}

/// Why a file, a key or a value is refused. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InfoError {
    /// More than [`MAX_BYTES`].
    #[error("the file has {0} bytes, {MAX_BYTES} are the limit")]
    TooLarge(usize),
    /// Bytes that are no UTF-8.
    #[error("line {0} is not UTF-8")]
    NotUtf8(usize),
    /// A control character other than the line feed, a carriage return included.
    #[error("line {line} contains the control character U+{character:04X}")]
    Control {
        /// Where.
        line: usize,
        /// Which code point.
        character: u32,
    },
    /// Neither entry, comment nor blank.
    #[error("line {0} is not of the form name=value")]
    NotAnEntry(usize),
    /// A key that is empty, too long or has other characters than ASCII letters, digits, `_.-`.
    #[error("line {0} has a malformed name before the =")]
    Key(usize),
    /// A key that was there before.
    #[error("line {line} repeats {key}")]
    Duplicate {
        /// Where the second one stands.
        line: usize,
        /// The key.
        key: String,
    },
    /// A value given to [`Info::set`] that a file cannot carry.
    #[error("the value of {0} contains a control character")]
    Value(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Entry {
        key: String,
        value: String,
    },
    /// Blank or a comment.
    Other(String),
}

impl Info {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The first thing in it that is not allowed.
    pub fn parse(bytes: &[u8]) -> Result<Self, InfoError> {
        if bytes.len() > MAX_BYTES {
            return Err(InfoError::TooLarge(bytes.len()));
        }
        let text = utf8(bytes)?;
        let (mut lines, mut keys) = (Vec::new(), BTreeSet::new());
        for (index, line) in text.split_terminator('\n').enumerate() {
            let line = parse_line(index + 1, line)?;
            if let Line::Entry { key, .. } = &line
                && !keys.insert(key.clone())
            {
                return Err(InfoError::Duplicate {
                    line: index + 1,
                    key: key.clone(),
                });
            }
            lines.push(line);
        }
        Ok(Self { lines })
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// All entries in their order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Entry { key, value } => Some((key.as_str(), value.as_str())),
            Line::Other(_) => None,
        })
    }

    /// Replaces the value of `key` in its place, or adds it at the end.
    ///
    /// # Errors
    /// [`InfoError::Value`] if the value contains a control character.
    pub fn set(&mut self, key: &'static str, value: impl Display) -> Result<(), InfoError> {
        debug_assert!(is_key(key), "keys in the code are well-formed");
        let new = value.to_string();
        if new.contains(char::is_control) {
            return Err(InfoError::Value(key));
        }
        for line in &mut self.lines {
            if let Line::Entry { key: name, value } = line
                && name == key
            {
                *value = new;
                return Ok(());
            }
        }
        self.lines.push(Line::Entry {
            key: key.to_owned(),
            value: new,
        });
        Ok(())
    }

    /// The file's bytes, with a line feed after every line.
    ///
    /// # Errors
    /// [`InfoError::TooLarge`]: what is written must be readable again.
    pub fn render(&self) -> Result<Vec<u8>, InfoError> {
        let mut bytes = Vec::new();
        for line in &self.lines {
            match line {
                Line::Entry { key, value } => {
                    bytes.extend_from_slice(key.as_bytes());
                    bytes.push(b'=');
                    bytes.extend_from_slice(value.as_bytes());
                }
                Line::Other(text) => bytes.extend_from_slice(text.as_bytes()),
            }
            bytes.push(b'\n');
        }
        if bytes.len() > MAX_BYTES {
            Err(InfoError::TooLarge(bytes.len()))
        } else {
            Ok(bytes)
        }
    }
}

fn parse_line(number: usize, line: &str) -> Result<Line, InfoError> {
    if let Some(character) = line.chars().find(|character| character.is_control()) {
        return Err(InfoError::Control {
            line: number,
            character: character.into(),
        });
    }
    if line.trim().is_empty() || line.starts_with('#') {
        return Ok(Line::Other(line.to_owned()));
    }
    let (key, value) = line.split_once('=').ok_or(InfoError::NotAnEntry(number))?;
    if !is_key(key) {
        return Err(InfoError::Key(number));
    }
    Ok(Line::Entry {
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

fn utf8(bytes: &[u8]) -> Result<&str, InfoError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        InfoError::NotUtf8(1 + before.iter().filter(|byte| **byte == b'\n').count())
    })
}

fn is_key(key: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

#[cfg(test)]
mod tests;
