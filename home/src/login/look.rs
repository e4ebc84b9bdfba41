//! What a stick holds, found out without writing to it: it may be somebody else's.

use super::secret::Secret;
use super::sticks::Stick;
use super::{DIRECTORY, lower};
use crate::image::{self, Image};
use crate::medium::directory::DirectoryMedium;
use crate::medium::{Medium, MediumFile};
use crate::mode::{Mode, Standing};
use crate::names::PRIVATE_DIR;
use crate::store::superblock::{self, Parsed, Superblock};
use rustix::fs::{CWD, OFlags, fstat};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use wendy_sys::mount::{self, MountFlags};
use wendy_sys::mountinfo::Mount;
use wendy_sys::{DevNum, Errno, dir};

/// Identity of a home, the same wherever it goes.
pub type HomeId = [u8; 16];

/// A home as a medium holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its identity.
    pub id: HomeId,
    /// What other media do not hold that say the same.
    pub secret: Option<Secret>,
}

impl Held {
    /// Whether a medium certainly holds this very home.
    #[must_use]
    pub fn is(&self, content: &Content) -> bool {
        self.secret.is_some() && *content == Content::Home(*self)
    }
}

/// What is on a stick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A home.
    Home(Held),
    /// The directory for one, which is to become one now.
    Vacant,
    /// No directory for one.
    None,
    /// It is mounted there, so somebody is using it.
    Busy(PathBuf),
    /// It cannot be used; why, in words for a person.
    Unusable(String),
}

/// Looks. A stick that is mounted and has no directory for a home is none: the computer may run from it.
#[must_use]
pub fn look(stick: &Stick) -> Option<Content> {
    let mounts = stick.mounts();
    if let Some(first) = mounts.first() {
        let serves_others = mounts.iter().any(has_no_directory);
        return (!serves_others).then(|| Content::Busy(first.mount_point.clone()));
    }
    Some(match lower::detached(stick.filesystem, &stick.node, true) {
        Ok(mounted) => content_below(&mounted),
        Err(error) => Content::Unusable(error.to_string()),
    })
}

/// Whether the filesystem that is mounted there certainly has no directory for a home.
fn has_no_directory(mount: &Mount) -> bool {
    if mount.root != Path::new("/") {
        return false;
    }
    let flags = MountFlags {
        read_only: true,
        ..lower::FLAGS
    };
    let cloned = mount::clone_detached(CWD, &mount.mount_point, flags);
    cloned.is_ok_and(|root| {
        // Another one may be mounted over it.
        let is_it = fstat(&root).is_ok_and(|stat| DevNum::new(stat.st_dev) == mount.devnum);
        is_it && content_below(&root) == Content::None
    })
}

/// Opens the directory for a home in the root directory of a filesystem. It is never reached over a
/// link.
///
/// # Errors
/// Those of openat2(2).
pub fn open_directory(root: impl AsFd) -> wendy_sys::Result<DirectoryMedium> {
    let dir = dir::open_beneath(root, DIRECTORY, OFlags::RDONLY | OFlags::DIRECTORY)?;
    DirectoryMedium::from_dir(dir).map_err(|source| wendy_sys::Error::Os {
        what: format!("look at {DIRECTORY}"),
        source,
    })
}

fn content_below(root: impl AsFd) -> Content {
    match open_directory(root) {
        Ok(medium) => content(&medium).unwrap_or_else(Content::Unusable),
        Err(error) if error.errno() == Some(Errno::NOENT) => Content::None,
        Err(error) => match error.errno() {
            Some(Errno::LOOP | Errno::NOTDIR) => {
                Content::Unusable(format!("{DIRECTORY} is no folder"))
            }
            _ => Content::Unusable(error.to_string()),
        },
    }
}

/// What is in the directory for a home.
///
/// # Errors
/// Why it cannot be used, in words for a person.
pub fn content(medium: &DirectoryMedium) -> Result<Content, String> {
    let words = |error: image::ImageError| error.to_string();
    let id = match Standing::of(medium).map_err(words)?.mode {
        None => return Ok(Content::Vacant),
        Some(Mode::Files) => identity(medium)?,
        Some(Mode::Image) => {
            let superblock = Image::open(medium, true).and_then(|image| image.superblock());
            superblock.map_err(words)?.uuid
        }
    };
    let secret = Secret::of(medium);
    Ok(Content::Home(Held { id, secret }))
}

/// The identity of the home of files on a medium, by the superblock in force.
///
/// # Errors
/// Why there is none to be read, in words for a person.
pub fn identity(medium: &impl Medium) -> Result<HomeId, String> {
    let mut newest: Option<Superblock> = None;
    for name in ["super.0", "super.1"] {
        match parse(medium, name).unwrap_or(Parsed::Invalid) {
            Parsed::Newer(format) => {
                return Err(format!(
                    "the home has format {format}, which needs a newer wendy-home"
                ));
            }
            Parsed::Valid(found)
                if newest
                    .as_ref()
                    .is_none_or(|it| it.generation < found.generation) =>
            {
                newest = Some(found);
            }
            _ => {}
        }
    }
    let damaged = "the home is damaged: as root, mount the stick and run \
                   wendy-home fsck --repair on the folder pershome";
    newest
        .map(|superblock| superblock.home)
        .ok_or_else(|| damaged.into())
}

fn parse(medium: &impl Medium, name: &str) -> Option<Parsed> {
    let file = medium.open(&format!("{PRIVATE_DIR}/{name}")).ok()?;
    let mut bytes = [0; superblock::SIZE];
    file.read_at(&mut bytes, 0).ok()?;
    Some(Superblock::parse(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home;
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    fn content_of(prepare: impl FnOnce(&std::path::Path)) -> Content {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        content_below(File::open(dir.path()).unwrap())
    }

    #[test]
    fn an_empty_folder_is_vacant_and_none_is_none() {
        assert_eq!(content_of(|_| ()), Content::None);
        let vacant = content_of(|root| fs::create_dir(root.join(DIRECTORY)).unwrap());
        assert_eq!(vacant, Content::Vacant);
    }

    #[test]
    fn a_home_tells_who_it_is_and_a_damaged_one_says_so() {
        let id = [7; 16];
        let make = |root: &std::path::Path| {
            fs::create_dir(root.join(DIRECTORY)).unwrap();
            home::create(&open_directory(File::open(root).unwrap()).unwrap(), id).unwrap();
        };
        assert_eq!(content_of(make), Content::Home(Held { id, secret: None }));
        let damaged = content_of(|root| {
            make(root);
            fs::write(root.join("pershome/.wendy/super.0"), [1; 4096]).unwrap();
            fs::write(root.join("pershome/.wendy/super.1"), "").unwrap();
        });
        assert!(matches!(damaged, Content::Unusable(why) if why.contains("--repair")));
    }

    #[test]
    fn only_the_very_home_is_gone_on_with() {
        let secret = |digit: &str| Secret::parse(&digit.repeat(64));
        let of = |id, secret| Held {
            id: [id; 16],
            secret,
        };
        let own = of(1, secret("a"));
        assert!(own.is(&Content::Home(own)));
        for other in [of(1, secret("b")), of(1, None), of(2, secret("a"))] {
            assert!(!own.is(&Content::Home(other)), "{other:?}");
        }
        let nobody_knows = of(1, None);
        assert!(!nobody_knows.is(&Content::Home(nobody_knows)));
    }

    #[test]
    fn no_link_is_followed() {
        let outside = content_of(|root| symlink("/etc", root.join(DIRECTORY)).unwrap());
        assert!(matches!(outside, Content::Unusable(_)), "{outside:?}");
        let inside = content_of(|root| {
            fs::create_dir(root.join("other")).unwrap();
            symlink("other", root.join(DIRECTORY)).unwrap();
        });
        assert!(matches!(inside, Content::Unusable(_)), "{inside:?}");
        let store = content_of(|root| {
            fs::create_dir_all(root.join(DIRECTORY)).unwrap();
            symlink("/etc", root.join("pershome/.wendy")).unwrap();
        });
        assert!(!matches!(store, Content::Home(_)), "{store:?}");
    }
}
