//! Identities: random, never reused, and the only part of a store that becomes a path.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Identity of a store, kept for its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(Uuid);

/// Identity of a session; also the name of its directory on the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

/// Number of a save within its session, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u32);

/// A text that is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a UUID in lower case with hyphens, the only spelling written.
    #[error("not an id of the form 01234567-89ab-cdef-0123-456789abcdef")]
    Uuid,
    /// Not a decimal number from 1 to 4294967295 without leading zeros.
    #[error("not a generation number")]
    Generation,
}

impl StoreId {
    /// A new random identity.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The identity of a store whose marker carries none: always the same for the same `seed`,
    /// which is best the UUID of the filesystem.
    #[must_use]
    pub fn derived(seed: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(seed.as_bytes()).into();
        let [first, ..] = *digest.as_chunks::<16>().0 else {
            return Self(Uuid::nil());
        };
        Self(
            uuid::Builder::from_bytes(first)
                .with_version(uuid::Version::Custom)
                .into_uuid(),
        )
    }
}

impl SessionId {
    /// A new random identity.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl Generation {
    /// The first save of a session.
    pub const FIRST: Self = Self(1);

    /// The save with this number; none for zero.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The number itself.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// The save after this one. Four thousand million saves are more than any medium survives;
    /// the last number is then kept.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl FromStr for StoreId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        canonical_uuid(text).map(Self)
    }
}

impl FromStr for SessionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        canonical_uuid(text).map(Self)
    }
}

impl FromStr for Generation {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let number = text
            .parse()
            .ok()
            .and_then(Self::new)
            .ok_or(IdError::Generation)?;
        // "+1" and "01" parse as numbers but would be second names of the same directory.
        if number.to_string() == text {
            Ok(number)
        } else {
            Err(IdError::Generation)
        }
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(out)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(out)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Accepts one spelling only, because an id is a directory name: two spellings of one id would
/// be two directories.
fn canonical_uuid(text: &str) -> Result<Uuid, IdError> {
    let uuid = Uuid::try_parse(text).map_err(|_| IdError::Uuid)?;
    if uuid.hyphenated().to_string() == text {
        Ok(uuid)
    } else {
        Err(IdError::Uuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let id = SessionId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in [
            id.to_string().to_uppercase(),
            format!("{{{id}}}"),
            id.0.simple().to_string(),
        ] {
            assert_eq!(other.parse::<SessionId>(), Err(IdError::Uuid), "{other}");
        }
        assert_eq!("../../etc".parse::<SessionId>(), Err(IdError::Uuid));
    }

    #[test]
    fn generations_have_one_spelling() {
        assert_eq!("7".parse(), Ok(Generation(7)));
        for other in ["0", "07", "+7", "-1", "", "4294967296", "7/../8"] {
            assert_eq!(
                other.parse::<Generation>(),
                Err(IdError::Generation),
                "{other}"
            );
        }
        assert_eq!(Generation::FIRST.next().number(), 2);
    }

    #[test]
    fn a_derived_id_is_stable_and_distinct() {
        assert_eq!(StoreId::derived("a"), StoreId::derived("a"));
        assert_ne!(StoreId::derived("a"), StoreId::derived("b"));
        assert!(StoreId::derived("a").to_string().parse::<StoreId>().is_ok());
    }
}
