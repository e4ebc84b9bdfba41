//! `wendy-home convert`.

use super::create::ModeName;
use super::failure::needs_root;
use super::progress::Progress;
use super::{Identity, say};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::convert::{self, Converted, Step};
use wendy_text::{parse_size, size};

/// What the manual says beside the usage.
const MANUAL: &str = "\
The home must not be mounted. There must be room for both the old home and the new one; if there is \
not, the command says how much is needed and writes nothing.

At every instant one of the two is whole and in force: the old one until the new one is complete and \
safe on the stick, then the new one. If it is interrupted, also by pulling the stick, the next use of \
the home undoes or completes it.

Modes, owners, links, times of content and of access, extended attributes, symbolic links, pipes and \
sockets come along, and zeros at the end of a file that take no room. Access control lists hold in an \
image only: in a home of files they are kept out of sight, and the group has its own rights and not those \
of the mask, until the home is an image again. What cannot be kept is listed. The image keeps numbers of groups, not their names.";

/// Convert a home from files to an image or back, without mounting it.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL)]
pub struct Convert {
    /// Directory on the stick that holds the home
    directory: PathBuf,
    /// What it becomes
    #[arg(long, value_enum)]
    to: ModeName,
    /// Size of the image, such as 900M, 2G or 512MiB [default: twice what the home needs, if that fits]
    #[arg(long, value_parser = parse_size)]
    size: Option<u64>,
    #[command(flatten)]
    identity: Identity,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Convert {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let medium = super::locked(&self.directory)?;
        let options = self.identity.options(super::person());
        let mut progress = Progress::new("copied");
        let mut tell = |step| match step {
            Step::Reserving(done, all) => progress.show_part(done, all),
            Step::Copying(names, bytes) => progress.show(names, bytes),
            Step::Clearing => progress.say("removing the old home"),
        };
        let converted = convert::convert(&medium, self.to.into(), self.size, options, &mut tell);
        progress.end();
        let converted = converted.map_err(|error| needs_root(error.into()));
        self.print(&converted?)?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, converted: &Converted) -> anyhow::Result<()> {
        if self.json {
            return Ok(say::object(converted)?);
        }
        let Converted { names, bytes, lost } = converted;
        let what = match self.to {
            ModeName::Files => "files",
            ModeName::Image => "an image",
        };
        let (names, bytes) = (say::names(*names), size(*bytes));
        say::line(format!(
            "The home is kept as {what} now: {names} with {bytes}."
        ))?;
        for attribute in lost {
            say::line(format!(
                "Lost, because no home of files can hold it: {attribute}"
            ))?;
        }
        Ok(())
    }
}
