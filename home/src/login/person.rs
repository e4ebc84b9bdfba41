//! Who logs in, and whether their home is on a stick.

use nix::unistd::{Uid, User};
use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Users whose home is on a stick, one to a line, `#` begins a comment.
pub const LIST: &str = "/etc/ltsp/persistent_homes";
/// A user asks for it with this file in the home directory of this computer.
pub const WISH: &str = ".persistent_home";

/// An account of this computer, as getpwnam(3) knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Login name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Number of the user's own group.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
}

impl Person {
    /// The account `name`; `None` for names nobody has, and for root, whose home never moves.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        CString::new(name).ok()?;
        User::from_name(name).ok()?.and_then(Self::from_account)
    }

    /// The account with the number `uid`.
    #[must_use]
    pub fn numbered(uid: u32) -> Option<Self> {
        let account = User::from_uid(Uid::from_raw(uid)).ok()?;
        account.and_then(Self::from_account)
    }

    /// Whether there is no account `name` for sure: who cannot ask does not know.
    #[must_use]
    pub fn is_gone(name: &str) -> bool {
        matches!(User::from_name(name), Ok(None))
    }

    fn from_account(account: User) -> Option<Self> {
        (!account.uid.is_root()).then(|| Self {
            name: account.name,
            uid: account.uid.as_raw(),
            gid: account.gid.as_raw(),
            home: account.dir,
        })
    }

    /// Whether the administrator or the user wants the home to be on a stick.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        let list = fs::read_to_string(LIST).unwrap_or_default();
        lists(&list, &self.name) || fs::symlink_metadata(self.home.join(WISH)).is_ok()
    }

    /// The home directory, its symbolic links followed, if nobody but root and the user can put
    /// something else there.
    ///
    /// # Errors
    /// Why nothing may be mounted there, in words for a person.
    pub fn safe_home(&self) -> Result<PathBuf, String> {
        let shown = self.home.display();
        let home = fs::canonicalize(&self.home).map_err(|error| match error.kind() {
            // pam_mkhomedir(8) may run after us.
            io::ErrorKind::NotFound => format!(
                "The stick was not looked at: your directory {shown} on this computer is not there yet. \
                 If it is made at your first login, log out and in again."
            ),
            _ => format!("{shown}: {error}"),
        })?;
        if !home.is_dir() {
            return Err(format!("{shown} is no directory"));
        }
        let mut above = home.ancestors().skip(1).enumerate();
        // In a sticky directory the owner of the home, its user, can put something else there.
        let refused = above.find(|(distance, above)| !is_roots_own(above, *distance > 0));
        match refused {
            Some((_, above)) if home != Path::new("/") => Err(format!(
                "others than root can change {}, so nothing is mounted below",
                above.display()
            )),
            None if home != Path::new("/") => Ok(home),
            _ => Err(String::from("the home directory is /")),
        }
    }
}

/// Whether only root can rename what is in a directory; where it is sticky, only owners can (inode(7)),
/// which may be enough.
fn is_roots_own(directory: &Path, sticky_is_enough: bool) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    const OTHERS_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    fs::symlink_metadata(directory).is_ok_and(|facts| {
        let sticky = sticky_is_enough && facts.mode() & STICKY != 0;
        facts.uid() == 0 && (facts.mode() & OTHERS_WRITE == 0 || sticky)
    })
}

fn lists(list: &str, name: &str) -> bool {
    let names = list
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    names
        .filter(|listed| !listed.is_empty())
        .any(|listed| listed == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_whole_names() {
        let list = "# pupils\nann\n  bob  # since spring\n\n#carl\n";
        assert!(lists(list, "ann") && lists(list, "bob"));
        assert!(!lists(list, "carl") && !lists(list, "an") && !lists(list, ""));
    }

    #[test]
    fn root_and_strangers_are_nobody_here() {
        assert_eq!(Person::named("root"), None);
        assert_eq!(Person::named("../ann\n"), None);
        assert_eq!(Person::named("a\0b"), None);
        assert_eq!(Person::numbered(0), None);
    }

    #[test]
    fn a_home_in_a_directory_of_somebody_elses_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (home, link) = (dir.path().join("home"), dir.path().join("link"));
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::symlink(&home, &link).unwrap();
        let person = |home: &Path| Person {
            name: "ann".into(),
            uid: 1000,
            gid: 1000,
            home: home.to_owned(),
        };
        if rustix::process::getuid().is_root() {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(person(&link).safe_home(), Ok(home.clone()));
            let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode));
            mode(0o1777).unwrap();
            assert!(
                person(&home).safe_home().is_err(),
                "its owner can rename it"
            );
            mode(0o755).unwrap();
            std::os::unix::fs::chown(dir.path(), Some(1000), None).unwrap();
        }
        assert!(person(&home).safe_home().is_err());
        assert!(person(Path::new("/")).safe_home().is_err());
        let none = person(&dir.path().join("none")).safe_home();
        assert!(none.unwrap_err().contains("log out and in again"));
    }
}
