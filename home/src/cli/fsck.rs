//! `wendy-home fsck`.
//!
//! Exit codes as fsck(8).

use super::progress::Waiting;
use super::{Identity, preview, print_reconciled, say};
use anyhow::Context as _;
use clap::Args;
use rustix::fs::OFlags;
use serde::Serialize;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wendy_home::home;
use wendy_home::home::{Home, Reconciled};
use wendy_home::image::check::Found;
use wendy_home::login::DIRECTORY;
use wendy_home::login::check::{self, Checked, Filesystem};
use wendy_home::login::lower;
use wendy_home::mode::Mode;
use wendy_home::readme::{self, Readme};
use wendy_home::store::OpenError;
use wendy_sys::mount::DetachedMount;

mod image;

/// Exit status where nothing could be said.
const NOT_LOOKED_AT: u8 = 8;

/// What the manual says beside the usage.
const MANUAL: &str = "\
Exit status, as of fsck(8):
  0  all is in order
  1  it was not, and is now
  2  the command line was wrong
  4  it is not, and was left as it is: files changed on another computer count, too
  8  it could not be looked at

What a repair finds no name for is kept in .wendy/lost, metadata it cannot read beside the new one, \
in files called *.damagedN. Remove them when you miss nothing.";

/// Check a home, and bring it in order with --repair.
///
/// Given the unmounted stick itself, its filesystem is looked at first, or repaired, by fsck.fat,
/// fsck.exfat or e2fsck, however it was taken out.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL)]
pub struct Fsck {
    /// Directory on the stick that holds the home, or the device of an unmounted stick
    directory: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Bring the home in order; rebuild metadata that cannot be read from the files
    #[arg(long)]
    repair: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    filesystem: Option<FilesystemState>,
    /// How the filesystem in an image was.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Found>,
    damage: Option<String>,
    rebuilt: bool,
    /// It is shown somewhere, and looked at as it is at this moment.
    in_use: bool,
    clean: bool,
    found: Reconciled,
}

/// How the stick's own filesystem was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum FilesystemState {
    Clean,
    Dirty,
    Wrong,
    Repaired,
    /// The program that checks it is not installed.
    Unchecked,
}

impl FilesystemState {
    fn was_in_order(self) -> bool {
        matches!(self, Self::Clean | Self::Unchecked)
    }
}

/// Where the home is, with its filesystem in order.
struct LookedAt {
    directory: PathBuf,
    state: Option<FilesystemState>,
    /// Keeps the directory there.
    _mount: Option<DetachedMount>,
}

impl Fsck {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        Ok(self.look().unwrap_or_else(|error| {
            say::failure(&error, NOT_LOOKED_AT, self.json);
            ExitCode::from(NOT_LOOKED_AT)
        }))
    }

    fn look(&self) -> anyhow::Result<ExitCode> {
        let mut looked_at = self.look_at_filesystem()?;
        let mut report = if self.repair {
            self.repair(&looked_at.directory)?
        } else {
            let in_use = super::is_in_use(&looked_at.directory)?;
            Report {
                in_use,
                ..self.check(&looked_at.directory)?
            }
        };
        report.filesystem = looked_at.state.take();
        if self.json {
            say::object(&report)?;
        } else {
            print(&report)?;
        }
        let on_stick = report.filesystem.is_some_and(|it| !it.was_in_order());
        let unclean = !report.clean && !report.in_use;
        let in_image = matches!(report.image, Some(Found::Wrong | Found::Repaired));
        let in_home = report.damage.is_some() || report.found.is_anything();
        let wrong = on_stick || unclean || in_image || in_home;
        if wrong && !self.json {
            self.advise()?;
        }
        Ok(match (wrong, self.repair) {
            (false, _) => ExitCode::SUCCESS,
            (true, true) => ExitCode::from(1),
            (true, false) => ExitCode::from(4),
        })
    }

    /// What is to be done about what was found.
    fn advise(&self) -> std::io::Result<()> {
        if self.repair {
            return say::line("It is in order now.");
        }
        let directory = self.directory.display();
        say::line(format!(
            "Nothing was changed. To bring it in order: wendy-home fsck --repair {directory}"
        ))
    }

    fn look_at_filesystem(&self) -> anyhow::Result<LookedAt> {
        let node = &self.directory;
        let kind = std::fs::metadata(node).map(|facts| facts.file_type());
        if !kind.is_ok_and(|kind| kind.is_block_device()) {
            return Ok(LookedAt {
                directory: node.clone(),
                state: None,
                _mount: None,
            });
        }
        let shown = node.display();
        let filesystem = Filesystem::of(node).with_context(|| format!("cannot read {shown}"))?;
        let filesystem = filesystem
            .with_context(|| format!("{shown} has no FAT, exFAT or ext filesystem on it"))?;
        let state = self.filesystem_state(filesystem)?;
        let mounted = lower::detached(filesystem, node, !self.repair)?;
        let directory = format!("/proc/self/fd/{}/{DIRECTORY}", mounted.as_fd().as_raw_fd());
        anyhow::ensure!(
            Path::new(&directory).is_dir(),
            "there is no home on {shown}: it has no folder called {DIRECTORY}. If the home is in another \
             one, mount the stick and name that"
        );
        Ok(LookedAt {
            directory: directory.into(),
            state: Some(state),
            _mount: Some(mounted),
        })
    }

    fn filesystem_state(&self, filesystem: Filesystem) -> anyhow::Result<FilesystemState> {
        let node = &self.directory;
        // Whoever opens a device like this is kept out of one that is mounted (open(2), O_EXCL).
        let flags = OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC;
        rustix::fs::open(node, flags, rustix::fs::Mode::empty())
            .with_context(|| format!("{} is in use: unmount it before", node.display()))?;
        let _shown = Waiting::new("checking the filesystem of the stick", None);
        // What says that it was taken out in order may be damaged all the same.
        let dirty = filesystem != Filesystem::Ext && check::is_dirty(filesystem, node)?;
        let found = match (self.repair, dirty) {
            (true, _) => check::repair(filesystem, node)?,
            (false, true) => return Ok(FilesystemState::Dirty),
            (false, false) => check::look(filesystem, node)?,
        };
        Ok(match found {
            Checked::Without(tool) if self.repair => {
                let node = node.display();
                anyhow::bail!(
                    "the filesystem of {node} is repaired by {tool}, which is not installed"
                )
            }
            Checked::Without(_) => FilesystemState::Unchecked,
            Checked::Wrong => FilesystemState::Wrong,
            Checked::Repaired => FilesystemState::Repaired,
            Checked::Sound if dirty => FilesystemState::Repaired,
            Checked::Sound => FilesystemState::Clean,
        })
    }

    fn check(&self, directory: &Path) -> anyhow::Result<Report> {
        let (medium, mode) = super::mode_to_read(directory)?;
        if mode == Mode::Image {
            return image::check(&medium);
        }
        let _shown = Waiting::new("looking at the home", Some(medium.seen()));
        let superblock = super::superblock(&medium);
        match preview(medium, self.identity.options(super::caller())) {
            Ok((_, found)) => Ok(Report {
                clean: superblock?.clean,
                found,
                ..Report::default()
            }),
            Err(error) => Ok(Report {
                damage: Some(damage(&error).with_context(|| format!("{error:#}"))?),
                ..Report::default()
            }),
        }
    }

    fn repair(&self, directory: &Path) -> anyhow::Result<Report> {
        let medium = super::locked(directory)?;
        let options = self.identity.options(super::caller());
        if super::mode_to_write(directory, &medium, options)? == Mode::Image {
            return image::repair(&medium);
        }
        let checked = self.check(directory)?;
        if checked.damage.is_some() {
            home::set_aside(&medium).context("cannot set the damaged metadata aside")?;
            home::create(&medium, uuid::Uuid::new_v4().into_bytes())?;
            readme::write(&medium, Readme::Files)?;
        }
        let rebuilt = checked.damage.is_some();
        let _shown = Waiting::new("bringing the home in order", Some(medium.seen()));
        let (home, found) = Home::open(medium, options)?;
        home.close().context("cannot finish the repair")?;
        Ok(Report {
            rebuilt,
            found,
            ..checked
        })
    }
}

/// What is damaged, if that is why a home does not open.
fn damage(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref()? {
        OpenError::Damaged(what) => Some(what.clone()),
        _ => None,
    }
}

fn print(report: &Report) -> std::io::Result<()> {
    match report.filesystem {
        Some(FilesystemState::Dirty) => say::line("The stick was not taken out in order.")?,
        Some(FilesystemState::Wrong) => say::line("The filesystem of the stick is not in order.")?,
        Some(FilesystemState::Repaired) => {
            say::line("The filesystem of the stick was checked and brought in order.")?;
        }
        Some(FilesystemState::Unchecked) => {
            say::line(
                "The filesystem of the stick was not checked: install dosfstools or exfatprogs.",
            )?;
        }
        Some(FilesystemState::Clean) | None => {}
    }
    match report.image {
        Some(Found::Sound) => say::line("The filesystem in the image is sound.")?,
        Some(Found::Repaired) => say::line("The filesystem in the image was repaired.")?,
        Some(Found::Wrong) => say::line("The filesystem in the image is not in order.")?,
        None => {}
    }
    say::line(match (&report.damage, report.rebuilt) {
        (Some(what), false) if report.image.is_some() => what.clone(),
        (Some(what), true) => format!("The metadata was damaged ({what}) and is made anew."),
        (Some(what), false) => format!("The metadata is damaged: {what}."),
        (None, _) if report.in_use => "The home is in use: this is how it is now.".to_owned(),
        (None, _) if report.clean => "The home was closed in order.".to_owned(),
        (None, _) => "The home was not closed in order.".to_owned(),
    })?;
    print_reconciled(&report.found)
}
