//! `wendy-home sync`.

use anyhow::Context as _;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::sync;

/// Make everything written so far safe on the stick: after it the stick can be pulled without loss.
///
/// For homes that are shown. Whoever may write to a home may do this.
#[derive(Debug, Args)]
pub struct Sync {
    /// Where a home is shown, or the directory on the stick that holds it [default: all that are shown]
    directory: Option<PathBuf>,
}

impl Sync {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.directory {
            None => sync::all()?,
            Some(path) => {
                sync::one(path).with_context(|| format!("cannot sync {}", path.display()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
