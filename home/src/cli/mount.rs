//! `wendy-home mount`.

use super::{Identity, open_home, open_medium, owner_of};
use anyhow::Context as _;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use wendy_home::home::Home;
use wendy_home::medium::preview::Preview;
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
        let identity = self.identity.options(owner_of(&self.target)?);
        let options = MountOptions {
            commit: Duration::from_secs(self.commit),
            settle_now: self.settle_now,
            read_only: is_read_only(&self.directory)?,
            passthrough: !self.no_passthrough,
            ..MountOptions::default()
        };
        let ready = || {
            println!("ready");
            Ok(())
        };
        if options.read_only {
            tracing::warn!("the stick takes no changes: showing the home as it is");
            let home = Home::open_lazily(Preview(open_medium(&self.directory)?), identity)?;
            serve(home, &self.target, options, |_, _| ready())?;
        } else {
            let home = open_home(&self.directory, identity)?;
            serve(home, &self.target, options, |_, _| ready())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether the filesystem of a directory is mounted read-only.
fn is_read_only(directory: &Path) -> anyhow::Result<bool> {
    let facts = rustix::fs::statvfs(directory)
        .with_context(|| format!("cannot see {}", directory.display()))?;
    Ok(facts.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}
