//! Which homes belong to which account of this computer.
//!
//! A stick has no owner that means anything here. So the first account that logs in with a home
//! keeps it: no other account of this computer is shown it, even if the stick was left plugged in.

use super::look::HomeId;
use super::person::Person;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use wendy_sys::dir;

/// One file for each home, called by its identity, with the name of the account in it.
const DIRECTORY: &str = "/var/lib/wendy-home";

/// Whose a home is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// That of the person who asks.
    Me,
    /// Nobody has used it on this computer.
    Nobody,
    /// Another account's; where that is noted.
    Other(String, PathBuf),
}

/// The notes of this computer.
#[derive(Debug)]
pub struct Claims {
    directory: PathBuf,
}

impl Claims {
    /// Those of this computer.
    #[must_use]
    pub fn of_this_computer() -> Self {
        Self::at(Path::new(DIRECTORY))
    }

    fn at(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Whose the home is; accounts that are gone own nothing.
    #[must_use]
    pub fn owner(&self, home: &HomeId, me: &Person) -> Owner {
        let path = self.path(home);
        let name = fs::read_to_string(&path).unwrap_or_default();
        match name.trim_end() {
            name if name == me.name => Owner::Me,
            name if name.is_empty() || Person::is_gone(name) => Owner::Nobody,
            name => Owner::Other(name.to_owned(), path),
        }
    }

    /// Notes that the home is `me`'s from now on.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn claim(&self, home: &HomeId, me: &Person) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&self.directory, flags, Mode::empty())?;
        let text = format!("{}\n", me.name);
        dir::write_atomic(dir, file_name(home), text.as_bytes(), 0o600).map_err(io::Error::other)
    }

    fn path(&self, home: &HomeId) -> PathBuf {
        self.directory.join(file_name(home))
    }
}

fn file_name(home: &HomeId) -> String {
    uuid::Uuid::from_bytes(*home).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> Person {
        Person {
            name: name.into(),
            uid: 1,
            gid: 1,
            home: PathBuf::from("/"),
        }
    }

    #[test]
    fn the_first_account_keeps_a_home() {
        let dir = tempfile::tempdir().unwrap();
        let claims = Claims::at(&dir.path().join("made"));
        // An account every system has.
        let (first, second, home) = (person("daemon"), person("ann"), [3; 16]);
        assert_eq!(claims.owner(&home, &first), Owner::Nobody);
        claims.claim(&home, &first).unwrap();
        assert_eq!(claims.owner(&home, &first), Owner::Me);
        let owner = claims.owner(&home, &second);
        assert!(matches!(owner, Owner::Other(name, _) if name == "daemon"));
    }

    #[test]
    fn an_account_that_is_gone_owns_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (claims, home) = (Claims::at(dir.path()), [3; 16]);
        claims
            .claim(&home, &person("no-such-account-here"))
            .unwrap();
        assert_eq!(claims.owner(&home, &person("ann")), Owner::Nobody);
    }
}
