//! `wendy-home create`.

use super::failure::needs_root;
use super::progress::Progress;
use super::{Identity, say};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use uuid::Uuid;
use wendy_home::image::making::{self, Plan};
use wendy_home::medium::directory::DirectoryMedium;
use wendy_home::medium::{FactKind, Medium as _};
use wendy_home::mode::Mode;
use wendy_home::readme::{self, Readme};
use wendy_home::{home, names};
use wendy_text::parse_size;

/// What the manual says beside the usage.
const MANUAL: &str = "\
A home is kept in one of two modes.

files: every file lies on the stick under its own name, to be read and changed on any computer. What \
FAT cannot hold is kept beside it. This is what a login makes of a folder called pershome.

image: all is in one file, home.img, with an ext4 filesystem in it. As fast as the stick allows, for \
development trees and many small files, with access control lists; but only Linux reads it, and its \
size stays as it was made. The room is taken on the stick at once. FAT32 holds no file of 4 GiB or \
more, so neither does it a larger image; exFAT does.

wendy-home convert turns one into the other.";

/// Make a home in a directory of a mounted stick.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL)]
pub struct Create {
    /// Directory on the stick, made if missing; usually called pershome
    directory: PathBuf,
    /// Keep the home as files any system reads, or as one file with a filesystem of its own
    #[arg(long, value_enum, default_value_t = ModeName::Files)]
    mode: ModeName,
    /// Size of the image, such as 900M, 2G or 512MiB
    #[arg(long, value_parser = parse_size, required_if_eq("mode", "image"))]
    size: Option<u64>,
    #[command(flatten)]
    identity: Identity,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    directory: String,
    mode: Mode,
    home: String,
}

/// A mode as people type it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// Files any system reads
    Files,
    /// One file with a filesystem of its own
    Image,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Files => Self::Files,
            ModeName::Image => Self::Image,
        }
    }
}

impl Create {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        if self.size.is_some() && self.mode == ModeName::Files {
            anyhow::bail!("a home of files has no size");
        }
        let is_new = self.make_directory()?;
        let made = self.make_home();
        if made.is_err() && is_new {
            // The first error is the one to tell. What is not empty stays.
            let _ = std::fs::remove_dir(&self.directory);
        }
        let id = made?;
        let directory = self.directory.display().to_string();
        if !self.json {
            say::line(format!("Made a home in {directory}."))?;
            return Ok(ExitCode::SUCCESS);
        }
        say::object(&Report {
            directory,
            mode: self.mode.into(),
            home: id.to_string(),
        })?;
        Ok(ExitCode::SUCCESS)
    }

    /// Makes the directory if it is not there; whether it was not.
    fn make_directory(&self) -> anyhow::Result<bool> {
        match std::fs::create_dir(&self.directory) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => anyhow::bail!("cannot make {}: {error}", self.directory.display()),
        }
    }

    fn make_home(&self) -> anyhow::Result<Uuid> {
        let id = Uuid::new_v4();
        let medium = super::locked(&self.directory)?;
        let shown = self.directory.display();
        if super::standing(&self.directory, &medium)?.mode.is_some() {
            anyhow::bail!("there is a home in {shown} already");
        }
        if wendy_home::sync::shown_at(&self.directory)?.is_some() {
            anyhow::bail!("{shown} shows a home already");
        }
        making::clear(&medium)?;
        let private_is_new = medium.facts(names::PRIVATE_DIR).is_err();
        let made = match self.mode {
            ModeName::Files => make_files(&medium, id),
            ModeName::Image => self.make_image(&medium, id),
        };
        if made.is_err() && private_is_new {
            let _ = clear_private(&medium);
        }
        made?;
        medium.hide(names::PRIVATE_DIR);
        Ok(id)
    }

    fn make_image(&self, medium: &DirectoryMedium, id: Uuid) -> anyhow::Result<()> {
        let options = self.identity.options(super::person());
        let plan = Plan {
            size: self.size.unwrap_or_default(),
            id: id.into_bytes(),
            owner: (options.uid, options.gid),
            inodes: 0,
        };
        let mut progress = Progress::new("written");
        let made = making::create(medium, plan, &mut |done, all| progress.show_part(done, all));
        progress.end();
        made.map_err(|error| needs_root(error.into()))
    }
}

fn make_files(medium: &DirectoryMedium, id: Uuid) -> anyhow::Result<()> {
    home::create(medium, id.into_bytes())?;
    Ok(readme::write(medium, Readme::Files)?)
}

/// Removes what a creation that failed has left; there was nothing before it.
fn clear_private(medium: &DirectoryMedium) -> std::io::Result<()> {
    let private = names::PRIVATE_DIR;
    for (name, facts) in medium.list(private)? {
        let path = format!("{private}/{name}");
        match facts.kind {
            FactKind::Directory => medium.remove_dir(&path)?,
            _ => medium.unlink(&path)?,
        }
    }
    medium.remove_dir(private)
}
