//! e2fsck: whether the filesystem in an image is sound.

use super::mounting::not_shown;
use super::{Image, ImageError, Result};
use std::os::fd::AsFd as _;
use wendy_sys::{Cancel, tool::Tool};

/// Exit codes of e2fsck(8).
const CORRECTED: i32 = 1;
const LEFT: i32 = 4;

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoroughness {
    /// At all of it if it was not unmounted in order, else at the superblock and the groups.
    AsNeeded,
    /// At all of it: it comes from somebody else.
    Full,
}

/// What there was to repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// Nothing.
    Sound,
    /// Something, which is repaired now.
    Repaired,
    /// Something, which is as it was.
    Wrong,
}

impl Image {
    /// Brings the filesystem in order as far as nobody needs to be asked, after which the kernel may
    /// have it. One that cannot be written is only looked at.
    ///
    /// # Errors
    /// [`ImageError::Damaged`] if it is not in order then.
    pub fn check(&self, how: Thoroughness) -> Result<Found> {
        let clean = self.superblock()?.clean;
        if self.read_only {
            return self.check_to_read(how, clean);
        }
        let full = how == Thoroughness::Full || !clean;
        not_shown(self)?;
        let run = e2fsck(self, "-p")
            .args(full.then_some("-f"))
            .accept(CORRECTED);
        match run.run(&Cancel::new()) {
            Ok(output) if output.code == CORRECTED => Ok(Found::Repaired),
            Ok(_) => Ok(Found::Sound),
            Err(error) => Err(damage(error)),
        }
    }

    /// What waits in the journal is no damage, but without it nothing can be said: that is believed of
    /// one's own image alone.
    fn check_to_read(&self, how: Thoroughness, clean: bool) -> Result<Found> {
        let wrong = |why: &str| Err(ImageError::Damaged(why.into()));
        match (clean, how) {
            (false, Thoroughness::AsNeeded) => Ok(Found::Wrong),
            (false, Thoroughness::Full) => wrong("or was not unmounted in order"),
            (true, _) if self.look()? == Found::Sound => Ok(Found::Sound),
            (true, _) => wrong("e2fsck would have to repair it"),
        }
    }

    /// Looks at all of the filesystem without changing it.
    ///
    /// # Errors
    /// [`ImageError::Damaged`] if there is none to look at.
    pub fn look(&self) -> Result<Found> {
        let run = e2fsck(self, "-n").arg("-f").accept(CORRECTED).accept(LEFT);
        match run.run(&Cancel::new()) {
            Ok(output) if output.code == 0 => Ok(Found::Sound),
            Ok(_) => Ok(Found::Wrong),
            Err(error) => Err(damage(error)),
        }
    }

    /// Repairs whatever there is to repair, also where that loses something; what has lost its name
    /// goes to `lost+found`.
    ///
    /// # Errors
    /// [`ImageError::Damaged`] if there is no repairing it.
    pub fn repair(&self) -> Result<Found> {
        if self.look().is_ok_and(|found| found == Found::Sound) {
            return Ok(Found::Sound);
        }
        not_shown(self)?;
        let run = e2fsck(self, "-y").arg("-f").accept(CORRECTED);
        run.run(&Cancel::new()).map_err(damage)?;
        Ok(Found::Repaired)
    }
}

fn e2fsck<'a>(image: &'a Image, how: &str) -> Tool<'a> {
    let tool = Tool::new("e2fsck").arg(how).pass_fd(image.file.as_fd());
    tool.arg(image.proc_path())
}

fn damage(error: wendy_sys::Error) -> ImageError {
    match error {
        wendy_sys::Error::Tool {
            code: Some(code), ..
        } => ImageError::Damaged(format!("e2fsck ends with {code}")),
        other => other.into(),
    }
}
