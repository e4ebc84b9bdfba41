//! What tells the stick with somebody's home from another one that says it has the same.
//!
//! The identity of a home is known to many: while one kept as an image is used, every program on the
//! computer can ask for it, and anybody can give it to a filesystem of their own. So the first computer
//! that notes whose a home is puts random bytes beside it, where only root reads them while the home is
//! used, and every computer that does so notes them.

use crate::medium::{FactKind, Medium, MediumFile, ignore_missing};
use crate::names::PRIVATE_DIR;
use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt;
use std::io;

/// Path of the file on the medium.
const PATH: &str = ".wendy/secret";
const SIZE: usize = 32;

/// The bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; SIZE]);

impl Secret {
    /// The one on a medium; `None` if there is none that can be read.
    #[must_use]
    pub fn of(medium: &impl Medium) -> Option<Self> {
        let facts = medium.facts(PATH).ok()?;
        if facts.kind != FactKind::File || facts.size != SIZE as u64 {
            return None;
        }
        let mut bytes = [0; SIZE];
        let read = medium.open(PATH).ok()?.read_at(&mut bytes, 0).ok()?;
        // All zeros are what a power failure may leave of it.
        (read == SIZE && bytes != [0; SIZE]).then_some(Self(bytes))
    }

    /// The one on a medium, made now if there is none, and durable.
    ///
    /// # Errors
    /// Those of the medium.
    pub fn kept(medium: &impl Medium) -> io::Result<Self> {
        match Self::of(medium) {
            Some(secret) => Ok(secret),
            None => Self::made(medium),
        }
    }

    fn made(medium: &impl Medium) -> io::Result<Self> {
        let mut bytes = [0; SIZE];
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        match medium.make_dir(PRIVATE_DIR) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        ignore_missing(medium.unlink(PATH))?;
        let file = medium.create(PATH)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        medium.sync_dirs(&[PRIVATE_DIR.into()])?;
        medium.sync_all()?;
        Ok(Self(bytes))
    }

    /// The one that [`Display`](fmt::Display) has written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        let digits: [u32; 2 * SIZE] = digits?.try_into().ok()?;
        let mut bytes = [0; SIZE];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = u8::try_from(pair[0] << 4 | pair[1]).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(to, "{byte:02x}"))
    }
}

/// Logs are read by others than root.
impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::medium::fake::Fake;

    #[test]
    fn a_secret_is_made_once_and_read_back() {
        let fake = Fake::new(1 << 40);
        assert_eq!(Secret::of(&fake), None);
        let secret = Secret::kept(&fake).unwrap();
        assert_eq!(Secret::kept(&fake.replug()).unwrap(), secret);
        assert_eq!(Secret::parse(&secret.to_string()), Some(secret));
        assert!(!format!("{secret:?}").contains(&secret.to_string()[..8]));
        let other = Secret::kept(&Fake::new(1 << 40)).unwrap();
        assert_ne!(secret, other);
    }

    #[test]
    fn what_is_no_secret_is_replaced() {
        let fake = Fake::new(1 << 40);
        fake.make_dir(PRIVATE_DIR).unwrap();
        for torn in [&[][..], &[0; SIZE], &[7; SIZE - 1], &[7; SIZE + 1]] {
            fake.write_file(PATH, torn);
            assert_eq!(Secret::of(&fake), None, "{torn:?}");
            let made = Secret::kept(&fake).unwrap();
            assert_eq!(Secret::of(&fake), Some(made));
        }
        let hex = "0f".repeat(SIZE);
        assert_eq!(Secret::parse(&hex).unwrap().to_string(), hex);
        for wrong in ["", "0", &hex[1..], &format!("{hex}00"), &"+f".repeat(SIZE)] {
            assert_eq!(Secret::parse(wrong), None, "{wrong}");
        }
    }
}
