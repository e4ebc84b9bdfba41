//! The command line: one file for each subcommand.

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use failure::Refusal;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wendy_home::convert::resume;
use wendy_home::home::{Home, Options, Reconciled, new_root};
use wendy_home::image::Image;
use wendy_home::machine;
use wendy_home::medium::directory::DirectoryMedium;
use wendy_home::medium::preview::Preview;
use wendy_home::mode::{Mode, Standing};
use wendy_home::store::superblock::Superblock;
use wendy_home::store::{OpenError, Store};
use wendy_home::tree::Tree;
use wendy_home::tree::directory::DirectoryTree;
use wendy_text::things;

mod completion;
mod convert;
mod create;
mod dump;
mod export;
mod failure;
mod fsck;
mod import;
mod login;
mod man;
mod mount;
mod progress;
pub mod say;
mod status;
mod sync;

const EXIT_STATUS: &str = "\
Exit status: 0 it worked, 1 it failed, 2 the command line was wrong; of fsck see wendy-home fsck --help.

With --json a failure is one JSON object on standard error, as of wendyctl: error, one of failed, \
not-authorized, not-found, no-space, busy, impossible and damaged; exit_status; message; advice.";

/// A home directory on an ordinary FAT stick.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_STATUS)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a home in a directory of a mounted stick; files already there become part of it
    Create(create::Create),
    /// Show a home at a directory, until it is unmounted or this process is asked to end
    Mount(mount::Mount),
    /// Say what a home holds and how it is
    Status(status::Status),
    /// Check a home and repair it
    Fsck(fsck::Fsck),
    /// Write a home as a tar archive, without mounting it
    Export(export::Export),
    /// Bring a directory or an exported archive into a home, without mounting it
    Import(import::Import),
    /// Convert a home from files to an image or back, without mounting it
    Convert(convert::Convert),
    /// Make everything written so far safe on the stick
    Sync(sync::Sync),
    /// Print all metadata as JSON, one line for each name
    Dump(dump::Dump),
    /// Bring a home at login and let it go at logout; run by PAM and systemd
    Login(login::Login),
    /// Print a completion script for a shell
    Completion(completion::Completion),
    /// Write the manual pages, for packagers
    #[command(hide = true)]
    Man(man::Man),
}

/// Whose home it is on this machine.
#[derive(Debug, Args)]
struct Identity {
    /// User whose home it is [default: owner of the directory it is mounted on, or else the caller; for
    /// create and convert by root, 1000]
    #[arg(long)]
    uid: Option<u32>,
    /// Group of that user [default: group of that directory, or of the caller; for create and convert by
    /// root, 1000]
    #[arg(long)]
    gid: Option<u32>,
}

impl Identity {
    fn options(&self, fallback: (u32, u32)) -> Options {
        let (uid, gid) = fallback;
        machine::options(self.uid.unwrap_or(uid), self.gid.unwrap_or(gid))
    }
}

impl Arguments {
    /// Whether a program reads what is said.
    pub fn is_json(&self) -> bool {
        match &self.command {
            Command::Create(create) => create.json,
            Command::Status(status) => status.json,
            Command::Fsck(fsck) => fsck.json,
            Command::Export(export) => export.json,
            Command::Import(import) => import.json,
            Command::Convert(convert) => convert.json,
            Command::Sync(sync) => sync.json,
            _ => false,
        }
    }
}

/// Does what the command line asks.
///
/// # Errors
/// Whatever made it impossible, in words for a person.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Create(create) => create.run(),
        Command::Mount(mount) => mount.run(),
        Command::Status(status) => status.run(),
        Command::Fsck(fsck) => fsck.run(),
        Command::Export(export) => export.run(),
        Command::Import(import) => import.run(),
        Command::Convert(convert) => convert.run(),
        Command::Sync(sync) => sync.run(),
        Command::Dump(dump) => dump.run(),
        Command::Login(login) => login.run(),
        Command::Completion(completion) => completion.run(),
        Command::Man(man) => man.run(),
    }
}

fn open_medium(path: &Path) -> anyhow::Result<DirectoryMedium> {
    let opened = DirectoryMedium::open(path).map_err(anyhow::Error::from);
    let opened = opened.map_err(|error| not_allowed(error, path));
    opened.with_context(|| format!("cannot open {}", path.display()))
}

/// What is to be done where somebody may not see into the home at `path`; any other error as it is.
fn not_allowed(error: anyhow::Error, path: &Path) -> anyhow::Error {
    if !error.chain().any(is_denial) {
        return error;
    }
    Refusal::NotAllowed(path.to_owned()).into()
}

fn is_denial(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Opens a medium for ourselves alone.
fn locked(path: &Path) -> anyhow::Result<DirectoryMedium> {
    let medium = open_medium(path)?;
    match medium.lock() {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            return Err(Refusal::InUse(path.to_owned()).into());
        }
        other => other.with_context(|| format!("cannot lock {}", path.display()))?,
    }
    Ok(medium)
}

/// Whether somebody else has the home open for themselves alone.
fn is_in_use(path: &Path) -> anyhow::Result<bool> {
    Ok(open_medium(path)?.is_locked()?)
}

/// Opens the home of a locked medium to change it, after a conversion that was interrupted.
fn mode_to_write(path: &Path, medium: &DirectoryMedium, options: Options) -> anyhow::Result<Mode> {
    let mode = resume::resume(medium, options).map_err(|error| not_allowed(error.into(), path))?;
    mode.ok_or_else(|| missing(path))
}

/// Looks at what is in the directory `path`.
fn standing(path: &Path, medium: &DirectoryMedium) -> anyhow::Result<Standing> {
    Standing::of(medium).map_err(|error| not_allowed(error.into(), path))
}

/// Says that there is no home in the directory `path`, or that one is only shown there.
fn missing(path: &Path) -> anyhow::Error {
    if let Ok(Some(home)) = wendy_home::sync::shown_at(path) {
        let directory = wendy_home::sync::directory_of(&home);
        let shown = path.to_owned();
        return Refusal::OnlyShown { shown, directory }.into();
    }
    anyhow::Error::from(OpenError::Missing).context(path.display().to_string())
}

/// Opens a medium to look at the home in it only, also while it is in use.
fn mode_to_read(path: &Path) -> anyhow::Result<(DirectoryMedium, Mode)> {
    let medium = open_medium(path)?;
    let standing = standing(path, &medium)?;
    let mode = standing.mode.ok_or_else(|| missing(path))?;
    Ok((standing.of_home(medium)?, mode))
}

type Previewed = Home<Preview<DirectoryMedium>>;

/// Opens a home of files to look at it only, also while it is in use.
fn preview(medium: DirectoryMedium, options: Options) -> anyhow::Result<(Previewed, Reconciled)> {
    Home::open(Preview(medium), options).context("cannot open the home")
}

/// All that is in a home, to look at only, also while it is in use.
fn tree(path: &Path, options: Options) -> anyhow::Result<Box<dyn Tree>> {
    let (medium, mode) = mode_to_read(path)?;
    Ok(match mode {
        Mode::Files => Box::new(preview(medium, options)?.0),
        Mode::Image => {
            let root = Image::open(&medium, true)?.look_into()?;
            Box::new(DirectoryTree::new(root, (options.uid, options.gid))?)
        }
    })
}

fn superblock(medium: &DirectoryMedium) -> anyhow::Result<Superblock> {
    let opened = Store::open(medium, &new_root())?;
    Ok(opened.store.superblock().clone())
}

fn print_reconciled(found: &Reconciled) -> std::io::Result<()> {
    let counts = [
        (found.adopted, "appeared", "appeared"),
        (found.edited, "changed", "changed"),
        (found.renamed, "got another name", "got other names"),
        (found.missing, "disappeared", "disappeared"),
        (found.returned, "came back", "came back"),
        (
            found.relocated,
            "moved to its place after an interruption",
            "moved to their places after an interruption",
        ),
        (
            found.lost,
            "has no name and is kept in .wendy/lost",
            "have no name and are kept in .wendy/lost",
        ),
    ];
    for (count, one, many) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        let one = format!("file or directory {one}");
        let what = things(count, &one, &format!("files or directories {many}"));
        say::line(format!("Since the last use {what}."))?;
    }
    Ok(())
}

fn caller() -> (u32, u32) {
    (
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    )
}

/// Whose home one is that is not mounted anywhere: the caller's, or that of the first person a system
/// has, whom every system shows as its own.
fn person() -> (u32, u32) {
    match caller() {
        (0, _) => (1000, 1000),
        other => other,
    }
}

/// Owner and group of a directory.
fn owner_of(path: &PathBuf) -> anyhow::Result<(u32, u32)> {
    let facts =
        std::fs::metadata(path).with_context(|| format!("cannot see {}", path.display()))?;
    Ok((facts.uid(), facts.gid()))
}
