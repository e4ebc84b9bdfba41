//! Which homes belong to which account of this computer.
//!
//! A stick has no owner that means anything here. So the first account that logs in with a home
//! keeps it: no other account of this computer is shown it, even if the stick was left plugged in. It is
//! that account's own as long as the [secret](super::secret) beside it is the one noted then.

use super::look::{Held, HomeId};
use super::person::Person;
use super::secret::Secret;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use wendy_sys::dir;

/// One file for each home, called by its identity: the name of the account in the first line, and the
/// secret in the second if there is one.
const DIRECTORY: &str = "/var/lib/wendy-home";

/// Whose a home is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// That of the person who asks, without doubt.
    Me,
    /// Nobody has used it on this computer, as far as that can be told.
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
    pub fn owner(&self, home: &Held, me: &Person) -> Owner {
        let path = self.path(&home.id);
        let claim = Claim::read(&path);
        match claim.account.as_str() {
            name if name == me.name && claim.is_proven_by(home) => Owner::Me,
            name if name == me.name || name.is_empty() || Person::is_gone(name) => Owner::Nobody,
            name => Owner::Other(name.to_owned(), path),
        }
    }

    /// Notes that the home is `me`'s from now on.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn claim(&self, home: &Held, me: &Person) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&self.directory, flags, Mode::empty())?;
        let secret = home.secret.map(|it| format!("{it}\n"));
        let text = format!("{}\n{}", me.name, secret.unwrap_or_default());
        let name = file_name(&home.id);
        dir::write_atomic(dir, name, text.as_bytes(), 0o600).map_err(io::Error::other)
    }

    fn path(&self, home: &HomeId) -> PathBuf {
        self.directory.join(file_name(home))
    }
}

/// What is noted of a home.
#[derive(Debug, Default)]
struct Claim {
    account: String,
    secret: Option<Secret>,
}

impl Claim {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut lines = text.lines().map(str::trim_end);
        Self {
            account: lines.next().unwrap_or_default().to_owned(),
            secret: lines.next().and_then(Secret::parse),
        }
    }

    fn is_proven_by(&self, home: &Held) -> bool {
        self.secret.is_some() && self.secret == home.secret
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

    /// A home, with a secret of so many equal bytes.
    fn home(secret: Option<u8>) -> Held {
        Held {
            id: [3; 16],
            secret: secret.and_then(|byte| Secret::parse(&format!("{byte:02x}").repeat(32))),
        }
    }

    #[test]
    fn the_first_account_keeps_a_home() {
        let dir = tempfile::tempdir().unwrap();
        let claims = Claims::at(&dir.path().join("made"));
        // An account every system has.
        let (first, second, home) = (person("daemon"), person("ann"), home(Some(1)));
        assert_eq!(claims.owner(&home, &first), Owner::Nobody);
        claims.claim(&home, &first).unwrap();
        assert_eq!(claims.owner(&home, &first), Owner::Me);
        let owner = claims.owner(&home, &second);
        assert!(matches!(owner, Owner::Other(name, _) if name == "daemon"));
    }

    #[test]
    fn what_only_says_that_it_is_ones_own_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (claims, me) = (Claims::at(dir.path()), person("daemon"));
        claims.claim(&home(Some(1)), &me).unwrap();
        for forged in [home(None), home(Some(2))] {
            assert_eq!(claims.owner(&forged, &me), Owner::Nobody);
            let owner = claims.owner(&forged, &person("ann"));
            assert!(matches!(owner, Owner::Other(..)), "{owner:?}");
        }
    }

    #[test]
    fn without_a_secret_nothing_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let (claims, me) = (Claims::at(dir.path()), person("daemon"));
        claims.claim(&home(None), &me).unwrap();
        for held in [home(None), home(Some(1))] {
            assert_eq!(claims.owner(&held, &me), Owner::Nobody);
        }
        claims.claim(&home(Some(1)), &me).unwrap();
        assert_eq!(claims.owner(&home(Some(1)), &me), Owner::Me);
    }

    #[test]
    fn an_account_that_is_gone_owns_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (claims, home) = (Claims::at(dir.path()), home(Some(1)));
        claims
            .claim(&home, &person("no-such-account-here"))
            .unwrap();
        assert_eq!(claims.owner(&home, &person("ann")), Owner::Nobody);
    }
}
