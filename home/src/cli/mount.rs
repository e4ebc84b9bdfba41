//! `wendy-home mount`.

use super::{Identity, open_home, owner_of};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use wendy_home::mount::{MountOptions, serve};

/// Show a home at a directory.
#[derive(Debug, Args)]
pub struct Mount {
    /// Directory on the stick that holds the home
    directory: PathBuf,
    /// Where to show it
    target: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Seconds between writing changes to the stick
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    commit: u64,
    /// Give files their final names on the stick with every commit, not only when idle
    #[arg(long)]
    settle_now: bool,
    /// Let no file be read by the kernel directly
    #[arg(long)]
    no_passthrough: bool,
}

impl Mount {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let options = self.identity.options(owner_of(&self.target)?);
        let (home, _) = open_home(&self.directory, options)?;
        let options = MountOptions {
            commit: Duration::from_secs(self.commit),
            settle_now: self.settle_now,
            passthrough: !self.no_passthrough,
            ..MountOptions::default()
        };
        serve(home, &self.target, options, || println!("ready"))?;
        Ok(ExitCode::SUCCESS)
    }
}
