//! `wendy-home mount`.

use super::{Identity, owner_of};
use anyhow::Context as _;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use wendy_home::home::{Home, Options};
use wendy_home::image::check::{Found, Thoroughness};
use wendy_home::image::{self, Image, MountedImage};
use wendy_home::medium::directory::DirectoryMedium;
use wendy_home::medium::preview::Preview;
use wendy_home::mode::Mode;
use wendy_home::mount::{MountOptions, serve};

/// Show a home at a directory.
///
/// Of a stick that takes no changes the home is shown as it is, read-only.
#[derive(Debug, Args)]
pub struct Mount {
    /// Directory on the stick that holds the home
    directory: PathBuf,
    /// Where to show it
    target: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Seconds between writing changes to the stick, of a home of files
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
        if !self.target.is_dir() {
            anyhow::bail!("{} is no directory: name one", self.target.display());
        }
        let read_only = is_read_only(&self.directory)?;
        if read_only {
            tracing::warn!("the stick takes no changes: showing the home as it is");
            eprintln!("wendy-home: the stick is write-protected: the home is shown read-only");
        }
        let (medium, mode) = self.open(identity, read_only)?;
        match mode {
            Mode::Files => self.mount_files(medium, identity, read_only)?,
            Mode::Image => self.mount_image(&medium, identity, read_only)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn open(&self, identity: Options, read_only: bool) -> anyhow::Result<(DirectoryMedium, Mode)> {
        if read_only {
            return super::mode_to_read(&self.directory);
        }
        let medium = super::locked(&self.directory)?;
        let mode = super::mode_to_write(&self.directory, &medium, identity)?;
        Ok((medium, mode))
    }

    fn mount_files(
        &self,
        medium: DirectoryMedium,
        identity: Options,
        read_only: bool,
    ) -> anyhow::Result<()> {
        let options = MountOptions {
            commit: Duration::from_secs(self.commit),
            settle_now: self.settle_now,
            read_only,
            passthrough: !self.no_passthrough,
            ..MountOptions::default()
        };
        let cannot = || format!("cannot open the home {}", self.directory.display());
        if read_only {
            let home = Home::open_lazily(Preview(medium), identity).with_context(cannot)?;
            serve(home, &self.target, options, |_, _| ready())?;
        } else {
            let home = Home::open_lazily(medium, identity).with_context(cannot)?;
            serve(home, &self.target, options, |_, _| ready())?;
        }
        Ok(())
    }

    fn mount_image(
        &self,
        medium: &DirectoryMedium,
        identity: Options,
        read_only: bool,
    ) -> anyhow::Result<()> {
        let image = Image::open(medium, read_only)?;
        match image.check(Thoroughness::AsNeeded)? {
            Found::Sound => {}
            Found::Repaired => eprintln!("wendy-home: the filesystem in the image was repaired"),
            Found::Wrong => eprintln!(
                "wendy-home: the image was not unmounted in order: the last changes may be missing"
            ),
        }
        let mounted = MountedImage::of(&image)?.owned_by((identity.uid, identity.gid))?;
        let busy = MountOptions::default().when_busy;
        Ok(image::serve::serve(mounted, &self.target, busy, |_| {
            ready()
        })?)
    }
}

fn ready() -> std::io::Result<()> {
    // Whether anybody listens is no matter of the home's.
    let _ = super::say::line("ready");
    Ok(())
}

/// Whether the filesystem of a directory is mounted read-only.
fn is_read_only(directory: &Path) -> anyhow::Result<bool> {
    let facts = rustix::fs::statvfs(directory)
        .with_context(|| format!("cannot see {}", directory.display()))?;
    Ok(facts.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}
