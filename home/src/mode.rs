//! The two ways a home is kept: as files that any system reads, or as one image.

use crate::convert::journal::{self, Conversion};
use crate::home;
use crate::image;
use crate::medium::directory::{DirectoryMedium, Shown};

/// How a home is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As files and directories of the stick, with what it cannot hold in `.wendy`.
    Files,
    /// As a filesystem of its own in one file.
    Image,
}

impl Mode {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Files => Self::Image,
            Self::Image => Self::Files,
        }
    }
}

/// What a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The home in force, if there is one.
    pub mode: Option<Mode>,
    /// A conversion that was interrupted, to be undone or completed before the home is written to.
    pub conversion: Option<Conversion>,
}

impl Standing {
    /// The medium as the home in force sees it: an image that is not is not there.
    ///
    /// # Errors
    /// Those of fcntl(2).
    pub fn of_home(&self, medium: DirectoryMedium) -> std::io::Result<DirectoryMedium> {
        match (self.mode, self.conversion) {
            (Some(Mode::Files), Some(_)) => medium.showing(Shown::Without(image::FILE)),
            _ => Ok(medium),
        }
    }

    /// Looks at a directory without changing it.
    ///
    /// While a conversion goes on its journal says which home is in force. At any other time it is
    /// the files if there is a store, else the image if there is one.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub fn of(medium: &DirectoryMedium) -> image::Result<Self> {
        let conversion = journal::read(medium)?;
        let mode = match conversion {
            Some(conversion) => Some(conversion.in_force()),
            None if home::exists(medium) => Some(Mode::Files),
            None => image::exists(medium)?.then_some(Mode::Image),
        };
        Ok(Self { mode, conversion })
    }
}
