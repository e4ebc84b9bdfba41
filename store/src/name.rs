//! Names that people give to stores and sessions.
//!
//! A name is shown in terminals, dialogs, logs and boot menus, so what could rewrite the line it
//! stands in is refused when it is given and again when it is read from a medium. A name is
//! never a path: directories are called by ids.

use std::{fmt, str::FromStr};

/// The most bytes of UTF-8 a name may have.
pub const MAX_BYTES: usize = 100;

/// A name fit to be shown: 1 to 100 bytes of UTF-8, one line, no surrounding space.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// The rule that a name breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name must have at least one character")]
    Empty,
    /// More than [`MAX_BYTES`] bytes.
    #[error("a name must not be longer than {MAX_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// White space at the start or the end.
    #[error("a name must not begin or end with a space")]
    SurroundingSpace,
    /// A line break, a tab, an escape and the like.
    #[error("a name must not contain the control character U+{0:04X}")]
    Control(u32),
    /// A character that cannot be seen and changes how its neighbours are shown.
    #[error("a name must not contain the invisible character U+{0:04X}")]
    Invisible(u32),
}

impl Name {
    /// Checks `text` against every rule.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        check(&text)?;
        Ok(Self(text))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(NameError::TooLong(text.len()));
    }
    for character in text.chars() {
        if character.is_control() {
            return Err(NameError::Control(character.into()));
        }
        if is_invisible(character) {
            return Err(NameError::Invisible(character.into()));
        }
    }
    if text.trim() != text {
        return Err(NameError::SurroundingSpace);
    }
    Ok(())
}

/// Marks that turn the direction of text, break lines or show nothing (Unicode UAX #9 and #14).
/// The joiners U+200C and U+200D stay allowed: Persian and many emoji need them.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_pass() {
        for text in [
            "a",
            "Biofuel report",
            "søknad 12/2026",
            "проект",
            "می‌خواهم",
            "👩‍🔬",
            "$(rm); </b>",
        ] {
            assert!(Name::new(text).is_ok(), "{text}");
        }
        assert!(Name::new("x".repeat(MAX_BYTES)).is_ok());
    }

    #[test]
    fn each_rule_is_named() {
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new("x".repeat(300)), Err(NameError::TooLong(300)));
        assert_eq!(Name::new(" a"), Err(NameError::SurroundingSpace));
        assert_eq!(Name::new("a\u{00A0}"), Err(NameError::SurroundingSpace));
        assert_eq!(Name::new("a\nb"), Err(NameError::Control(0x0A)));
        assert_eq!(Name::new("a\u{1b}[2Jb"), Err(NameError::Control(0x1B)));
        assert_eq!(Name::new("a\u{9b}b"), Err(NameError::Control(0x9B)));
        assert_eq!(Name::new("a\0b"), Err(NameError::Control(0)));
        assert_eq!(
            Name::new("gpj.\u{202E}exe"),
            Err(NameError::Invisible(0x202E))
        );
        assert_eq!(Name::new("\u{FEFF}"), Err(NameError::Invisible(0xFEFF)));
    }
}
