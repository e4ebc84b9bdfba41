//! `wendy-home create`.

use super::open_medium;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::{home, readme};

/// Make a home in a directory of a mounted stick.
#[derive(Debug, Args)]
pub struct Create {
    /// Directory on the stick, made if missing; usually called pershome
    directory: PathBuf,
}

impl Create {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        match std::fs::create_dir(&self.directory) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                anyhow::bail!("cannot make {}: {error}", self.directory.display());
            }
            _ => {}
        }
        let medium = open_medium(&self.directory)?;
        if home::exists(&medium) {
            anyhow::bail!("there is a home in {} already", self.directory.display());
        }
        home::create(&medium, uuid::Uuid::new_v4().into_bytes())?;
        readme::write(&medium)?;
        medium.hide(wendy_home::names::PRIVATE_DIR);
        println!("Made a home in {}.", self.directory.display());
        Ok(ExitCode::SUCCESS)
    }
}
