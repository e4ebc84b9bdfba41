//! Converting a home from files to an image and back, so that at every instant one complete home is
//! there and it is clear which.
//!
//! The new home is built beside the old one inside `.wendy`, where it is in nobody's way, and made
//! durable. A [journal] of two sectors says which of the two is in force; writing one of them is the
//! switch. Before it, whatever was built is thrown away by the next use; after it, the next use
//! completes what is left:
//!
//! | | files to image | image to files |
//! |---|---|---|
//! | built | `.wendy/home.img.new`, then named `home.img` | a store in `.wendy`, all files waiting in `.wendy/tmp` |
//! | after the switch | files that are as they were are removed, then the store | files go to their places, then the image is removed |
//! | how it comes in | [`to_image`] | [`to_files`] |
//!
//! A stranger may have used the stick in between. What they changed or added is never removed.

use crate::home::{Home, Options};
use crate::image::{self, Image, ImageError};
use crate::medium::directory::DirectoryMedium;
use crate::mode::{Mode, Standing};
use std::io;

pub mod journal;
pub mod resume;
pub mod room;
pub mod to_files;
pub mod to_image;
mod unpack;

use journal::Conversion;

/// Why a conversion does not happen. The home stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// There is none.
    #[error("no home here: make one with wendy-home create")]
    NoHome,
    /// There is nothing to do.
    #[error("the home is kept as {0} already")]
    Already(&'static str),
    /// Something is where the new home would be.
    #[error("{0} is in the way: give it another name, then convert")]
    InTheWay(String),
    /// The new home is not like the old one.
    #[error("the copy is not complete ({0}); the home stays as it was")]
    Incomplete(String),
    /// The image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The files.
    #[error(transparent)]
    Store(#[from] crate::store::OpenError),
    /// The medium.
    #[error("cannot convert: {0}")]
    Io(#[from] io::Error),
}

impl From<rustix::io::Errno> for ConvertError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<wendy_sys::Error> for ConvertError {
    fn from(error: wendy_sys::Error) -> Self {
        Self::Image(error.into())
    }
}

/// Result of a conversion.
pub type Result<T> = std::result::Result<T, ConvertError>;

/// What was converted.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Converted {
    /// Names.
    pub names: u64,
    /// Bytes of their content.
    pub bytes: u64,
    /// What the new home cannot keep and has lost, such as attributes too large for it: path and name.
    pub lost: Vec<String>,
}

/// What a conversion hears about how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes of the image written, and of how many.
    Reserving(u64, u64),
    /// Names and bytes copied.
    Copying(u64, u64),
    /// The new home is in force; the old one is removed.
    Clearing,
}

/// Converts the home in `medium`, which must be [locked](DirectoryMedium::lock), to `to`. `size` is
/// that of an image to be made, in bytes; without one it is what the home needs twice, as far as
/// there is room.
///
/// # Errors
/// See [`ConvertError`].
pub fn convert(
    medium: &DirectoryMedium,
    to: Mode,
    size: Option<u64>,
    options: Options,
    tell: &mut dyn FnMut(Step),
) -> Result<Converted> {
    resume::resume(medium, options)?;
    match (Standing::of(medium)?.mode, to) {
        (None, _) => return Err(ConvertError::NoHome),
        (Some(Mode::Files), Mode::Files) => return Err(ConvertError::Already("files")),
        (Some(Mode::Image), Mode::Image) => return Err(ConvertError::Already("an image")),
        _ => {}
    }
    let built = match to {
        Mode::Image => to_image::build(medium, size, options, tell),
        Mode::Files => to_files::build(medium, options, tell),
    };
    let converted = match built {
        Ok(converted) => converted,
        Err(error) => {
            // The first error is the one to tell; the next use tries again.
            let _ = resume::resume(medium, options);
            return Err(error);
        }
    };
    wendy_sys::step("convert.switch")?;
    journal::switch(medium, to)?;
    tell(Step::Clearing);
    resume::resume(medium, options)?;
    Ok(converted)
}

fn open_files(medium: DirectoryMedium, options: Options) -> Result<Home<DirectoryMedium>> {
    Ok(Home::open(medium, options)?.0)
}

fn begin(medium: &DirectoryMedium, to: Mode) -> Result<()> {
    wendy_sys::step("convert.begin")?;
    journal::begin(medium, to)?;
    wendy_sys::step("convert.begun")?;
    Ok(())
}

/// Opens the image of a home that is about to be read only.
fn sound_image(medium: &DirectoryMedium) -> Result<Image> {
    let image = Image::open(medium, false)?;
    image.check(image::check::Thoroughness::AsNeeded)?;
    Ok(image)
}

/// Whether a conversion is going on, and where it is.
fn conversion(medium: &DirectoryMedium) -> Result<Option<Conversion>> {
    Ok(journal::read(medium)?)
}
