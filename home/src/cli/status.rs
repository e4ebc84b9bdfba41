//! `wendy-home status`.

use super::progress::Waiting;
use super::{Identity, preview, say};
use clap::Args;
use serde::Serialize;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::home::{Options, Reconciled};
use wendy_home::image::Image;
use wendy_home::medium::directory::DirectoryMedium;
use wendy_home::medium::{Medium as _, Space};
use wendy_home::mode::Mode;
use wendy_home::record::Kind;
use wendy_text::{size, things};

/// Say what a home holds and how it is, changing nothing.
#[derive(Debug, Args)]
pub struct Status {
    /// Directory on the stick that holds the home
    directory: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
enum Report {
    Files(OfFiles),
    Image(OfImage),
}

#[derive(Debug, Serialize)]
struct OfFiles {
    home: String,
    clean: bool,
    in_use: bool,
    uses: u64,
    last_host_is_this: bool,
    files: u64,
    directories: u64,
    others: u64,
    bytes: u64,
    unsettled: usize,
    /// In `.wendy/tmp`.
    waiting: usize,
    since_last_use: Reconciled,
    space: Space,
}

/// While it is in use the numbers are those of when it was last unmounted.
#[derive(Debug, Serialize)]
struct OfImage {
    home: String,
    clean: bool,
    in_use: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown_at: Option<PathBuf>,
    inodes: u32,
    size: u64,
    free: u64,
    /// That of the stick.
    space: Space,
}

impl Status {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let in_use = super::is_in_use(&self.directory)?;
        let (medium, mode) = super::mode_to_read(&self.directory)?;
        let options = self.identity.options(super::caller());
        let report = match mode {
            Mode::Files => Report::Files(of_files(medium, in_use, options)?),
            Mode::Image => Report::Image(of_image(&medium, in_use)?),
        };
        match report {
            _ if self.json => say::object(&report)?,
            Report::Files(report) => print_files(&report)?,
            Report::Image(report) => print_image(&report)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn of_files(medium: DirectoryMedium, in_use: bool, options: Options) -> anyhow::Result<OfFiles> {
    let _shown = Waiting::new("looking at the home", Some(medium.seen()));
    let before = super::superblock(&medium)?;
    let (home, since_last_use) = preview(medium, options)?;
    let (mut files, mut directories, mut others, mut bytes) = (0, 0, 0, 0);
    home.with_table(|table| {
        for inode in table.inodes().filter_map(|ino| table.inode(ino)) {
            match inode.kind {
                Kind::File => (files, bytes) = (files + 1, bytes + inode.size),
                Kind::Directory => directories += 1,
                _ => others += 1,
            }
        }
    });
    Ok(OfFiles {
        home: uuid::Uuid::from_bytes(before.home).to_string(),
        clean: before.clean,
        in_use,
        uses: before.epoch,
        last_host_is_this: before.host == options.host,
        files,
        directories,
        others,
        bytes,
        unsettled: home.with_table(wendy_home::table::Table::unsettled_count),
        waiting: home.with_table(|table| table.waiting().count()),
        since_last_use,
        space: home.space()?,
    })
}

fn of_image(medium: &DirectoryMedium, in_use: bool) -> anyhow::Result<OfImage> {
    let image = Image::open(medium, true)?;
    let superblock = image.superblock()?;
    let shown_at = image.shown_at()?;
    Ok(OfImage {
        home: uuid::Uuid::from_bytes(superblock.uuid).to_string(),
        clean: superblock.clean,
        in_use: in_use || shown_at.is_some(),
        shown_at,
        inodes: superblock.inodes,
        size: superblock.size,
        free: superblock.free,
        space: medium.space()?,
    })
}

fn state(in_use: bool, clean: bool) -> &'static str {
    match (in_use, clean) {
        (true, _) => "in use",
        (false, true) => "closed in order",
        (false, false) => "pulled while in use; the next use brings it in order",
    }
}

fn print_files(report: &OfFiles) -> io::Result<()> {
    let state = state(report.in_use, report.clean);
    say::line(format!("Home {}, kept as files: {state}.", report.home))?;
    say::line(format!(
        "{} with {}, {}, {}.",
        things(report.files, "file", "files"),
        size(report.bytes),
        things(report.directories, "directory", "directories"),
        things(report.others, "link or other", "links and others"),
    ))?;
    print_waiting(report.waiting)?;
    print_stick(&report.space)?;
    super::print_reconciled(&report.since_last_use)
}

/// What a directory that is full does not take, or a use that broke off left.
fn print_waiting(count: usize) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let (one, many) = (
        "file or directory waits for its name",
        "files or directories wait for their names",
    );
    say::line(format!("{} in .wendy/tmp.", things(count, one, many)))
}

fn print_image(report: &OfImage) -> io::Result<()> {
    let state = state(report.in_use, report.clean);
    say::line(format!("Home {}, kept as an image: {state}.", report.home))?;
    if let Some(place) = &report.shown_at {
        say::line(format!("It is shown at {}.", place.display()))?;
    }
    say::line(format!(
        "{}, {} of {} free in the image.",
        things(
            report.inodes.into(),
            "file or directory",
            "files, directories and others"
        ),
        size(report.free),
        size(report.size),
    ))?;
    print_stick(&report.space)
}

fn print_stick(space: &Space) -> io::Result<()> {
    say::line(format!(
        "{} of {} free on the stick.",
        size(space.free),
        size(space.size),
    ))
}
