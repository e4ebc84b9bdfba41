//! `wendy-home man`.

use super::Arguments;
use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Write the manual pages, for packagers.
#[derive(Debug, Args)]
pub struct Man {
    /// Directory for wendy-home.1 and a page of each subcommand
    directory: PathBuf,
}

impl Man {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        clap_mangen::generate_to(Arguments::command(), &self.directory)
            .with_context(|| format!("cannot write to {}", self.directory.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
