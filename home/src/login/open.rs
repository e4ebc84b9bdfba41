//! Opening what a stick holds as somebody's home, made now if there is none yet.

use super::look::{self, Held, HomeId};
use super::person::Person;
use super::plugged::Plugged;
use super::secret::Secret;
use super::skel;
use crate::convert::resume;
use crate::home::{self, Home, Options};
use crate::image::check::Thoroughness;
use crate::image::{self, Image, MountedImage, making};
use crate::machine;
use crate::medium::directory::DirectoryMedium;
use crate::medium::preview::Preview;
use crate::mode::{Mode, Standing};
use crate::names;
use crate::readme::{self, Readme};
use std::path::Path;

/// A home that is there.
#[derive(Debug)]
pub enum Opened {
    /// Kept as files.
    Files(Box<Home<Plugged>>),
    /// Kept as files on a write-protected stick: what an interruption left to be done is done in
    /// memory only.
    FilesReadOnly(Box<Home<Preview<Plugged>>>),
    /// Kept as an image.
    Image(MountedImage),
}

/// Whose home it is to be here.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The person.
    pub person: &'a Person,
    /// Whether the stick can be written to.
    pub writable: bool,
    /// Whether the person has used this very home on this computer before.
    pub known: bool,
}

impl Terms<'_> {
    fn options(&self) -> Options {
        machine::options(self.person.uid, self.person.gid)
    }

    /// The home with this identity, and what is to tell it from others from now on. Without that the
    /// home is as good, but unknown at the next login as well.
    fn held(&self, medium: &DirectoryMedium, id: HomeId) -> Held {
        let secret = if self.writable {
            let kept = Secret::kept(medium).inspect_err(
                |error| tracing::warn!(%error, "the stick will not be known the next time"),
            );
            kept.ok()
        } else {
            Secret::of(medium)
        };
        Held { id, secret }
    }
}

/// Opens the home in the directory for it.
///
/// # Errors
/// Why that cannot be done.
pub fn open(medium: DirectoryMedium, terms: Terms<'_>) -> anyhow::Result<(Held, Opened)> {
    medium.lock()?;
    if !terms.writable {
        return open_to_read(medium, terms);
    }
    let mode = resume::resume(&medium, terms.options())?;
    if mode == Some(Mode::Image) {
        return open_image(&medium, terms);
    }
    if mode.is_none() {
        make(&medium)?;
    }
    let held = terms.held(
        &medium,
        look::identity(&medium).map_err(anyhow::Error::msg)?,
    );
    let home = Home::open_lazily(Plugged::new(medium), terms.options())?;
    tracing::info!(is_new = mode.is_none(), "opened");
    if mode.is_none() {
        let ids = skel::Ids {
            uid: terms.person.uid,
            gid: terms.person.gid,
        };
        skel::copy(Path::new(skel::SOURCE), &home, ids)?;
    }
    Ok((held, Opened::Files(Box::new(home))))
}

fn make(medium: &DirectoryMedium) -> anyhow::Result<()> {
    making::clear(medium)?;
    home::create(medium, uuid::Uuid::new_v4().into_bytes())?;
    readme::write(medium, Readme::Files)?;
    medium.hide(names::PRIVATE_DIR);
    Ok(())
}

fn open_to_read(medium: DirectoryMedium, terms: Terms<'_>) -> anyhow::Result<(Held, Opened)> {
    let standing = Standing::of(&medium)?;
    match standing.mode {
        None => anyhow::bail!("it is write-protected, and there is no home on it yet"),
        Some(Mode::Image) => open_image(&medium, terms),
        Some(Mode::Files) => {
            let medium = standing.of_home(medium)?;
            let held = terms.held(
                &medium,
                look::identity(&medium).map_err(anyhow::Error::msg)?,
            );
            let home = Home::open_lazily(Preview(Plugged::new(medium)), terms.options())?;
            Ok((held, Opened::FilesReadOnly(Box::new(home))))
        }
    }
}

/// One that comes from elsewhere is looked at as a whole before the kernel gets to see it.
fn open_image(medium: &DirectoryMedium, terms: Terms<'_>) -> anyhow::Result<(Held, Opened)> {
    let image = Image::open(medium, !terms.writable)?;
    let how = if terms.known {
        Thoroughness::AsNeeded
    } else {
        Thoroughness::Full
    };
    let mounted = mount_image(&image, how, (terms.person.uid, terms.person.gid))?;
    let held = terms.held(medium, image.superblock()?.uuid);
    Ok((held, Opened::Image(mounted)))
}

/// Checks an image and mounts it for a user and a group of this machine.
///
/// # Errors
/// Those of [`Image::check`] and of mounting.
pub fn mount_image(
    image: &Image,
    how: Thoroughness,
    owner: (u32, u32),
) -> image::Result<MountedImage> {
    let found = image.check(how)?;
    tracing::info!(?found, "checked the image");
    MountedImage::of(image)?.owned_by(owner)
}
