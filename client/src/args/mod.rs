//! What can be typed: subcommands, options and their help.

mod prepare;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub use prepare::Prepare;

const AFTER_HELP: &str = "\
Exit status:
  0  it worked
  1  it failed
  2  the command line was wrong
  3  you are not allowed to do this
  4  there is no such thing, or the name fits more than one
  5  nobody agreed to what would be lost, or what was agreed to has changed
  6  it was cancelled
  7  there is too little room
  8  the device, store or session is busy
  9  the daemon cannot be reached
 10  the device was pulled out
 11  it cannot be done on this system or medium
 12  what is on the medium is damaged

Environment: NO_COLOR and TERM=dumb switch colours and progress bars off.";

/// Keep what you did on a live system: save it to a stick and carry on from there.
#[derive(Debug, Parser)]
#[command(name = "wendyctl", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true)]
pub struct Args {
    /// Print JSON for programs, one object per line
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what will become of your changes
    Status,
    /// List devices that could carry a store
    Devices(Devices),
    /// Make a store on a device
    Prepare(Prepare),
    /// Save the running session into a store
    Save(Save),
    /// List saved sessions, store by store
    Sessions(Sessions),
    /// Look at one session
    Session(Session),
    /// Give a session or a store another name
    Rename(Rename),
    /// Delete a session
    Delete(Delete),
    /// Choose the session that a stock image boots
    Default(Default),
    /// Read sessions back and compare them with what was written
    Verify(Verify),
    /// List jobs at work or finished lately
    Jobs(Jobs),
    /// Watch what happens, or one job until it is over
    Watch(Watch),
    /// Print what a bug report needs, without names and serial numbers
    Report,
    /// Print a completion script for a shell
    Completion(Completion),
    /// Write the manual pages into a directory
    #[command(hide = true)]
    Man(Man),
}

/// `devices`
#[derive(Debug, clap::Args)]
pub struct Devices {
    /// Also those that belong to the system
    #[arg(long)]
    pub all: bool,
}

/// `save`
#[derive(Debug, clap::Args)]
pub struct Save {
    /// A name for the session; the name of one you saved since this start, to update it
    #[arg(required_unless_present = "session")]
    pub name: Option<String>,
    /// Where to, by name or device, when there is more than one store
    #[arg(long)]
    pub store: Option<String>,
    /// Replace what this session holds; its last good save stays until the new one is complete
    #[arg(long)]
    pub session: Option<String>,
    /// Let a stock image boot this session
    #[arg(long)]
    pub default: bool,
    /// Leave out a path pattern like '/home/*/Downloads/**', or caches, host-keys or machine-id
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Remove the last save first if there is no room beside it; nothing is left of the session if
    /// this save is then interrupted
    #[arg(long)]
    pub overwrite: bool,
    /// Only say what would be written
    #[arg(long)]
    pub dry_run: bool,
}

/// `sessions`
#[derive(Debug, clap::Args)]
pub struct Sessions {
    /// Only those in this store
    #[arg(long)]
    pub store: Option<String>,
}

/// `session`
#[derive(Debug, clap::Args)]
pub struct Session {
    /// What about it.
    #[command(subcommand)]
    pub command: SessionCommand,
}

/// The subcommands of `session`.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Show everything that is known of it
    Show(Chosen),
}

/// One session.
#[derive(Debug, clap::Args)]
pub struct Chosen {
    /// The session, by name or id
    pub session: String,
    /// The store it is in, when two have one of that name
    #[arg(long)]
    pub store: Option<String>,
}

/// `rename`
#[derive(Debug, clap::Args)]
pub struct Rename {
    /// The session or store, by name or id
    pub what: String,
    /// Its new name
    pub name: String,
    /// The store a session is in, when two have one of that name
    #[arg(long)]
    pub store: Option<String>,
}

/// `delete`
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Which one.
    #[command(flatten)]
    pub chosen: Chosen,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// `default`
#[derive(Debug, clap::Args)]
pub struct Default {
    /// Which one.
    #[command(flatten)]
    pub chosen: Chosen,
}

/// `verify`
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The session or store, by name or id [default: all stores]
    pub what: Option<String>,
    /// The store a session is in, when two have one of that name
    #[arg(long)]
    pub store: Option<String>,
}

/// `jobs`
#[derive(Debug, clap::Args)]
pub struct Jobs {
    /// Stop this job
    #[arg(long, value_name = "JOB", value_parser = job)]
    pub cancel: Option<u64>,
}

/// `watch`
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// Number of a job, from `wendyctl jobs`
    #[arg(value_parser = job)]
    pub job: Option<u64>,
}

/// The number of a job.
fn job(text: &str) -> Result<u64, &'static str> {
    let said = "a job is named by its number, 'wendyctl jobs' lists them";
    text.parse().map_err(|_| said)
}

/// `completion`
#[derive(Debug, clap::Args)]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Shells with a completion script.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// `man`
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Where to
    pub directory: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_exit_status_is_documented() {
        for exit in crate::error::Exit::ALL {
            let line = format!("\n{:3}  ", exit.code());
            assert!(AFTER_HELP.contains(&line), "{exit:?}");
        }
    }

    #[test]
    fn save_needs_a_name_or_a_session() {
        assert!(Args::try_parse_from(["wendyctl", "save"]).is_err());
        assert!(Args::try_parse_from(["wendyctl", "save", "x"]).is_ok());
        assert!(Args::try_parse_from(["wendyctl", "save", "--session", "x"]).is_ok());
    }

    #[test]
    fn a_token_needs_yes() {
        let prepare = ["wendyctl", "prepare", "sda", "--name", "x", "--token", "t"];
        assert!(Args::try_parse_from(prepare).is_err());
        assert!(Args::try_parse_from(prepare.iter().chain(&["--yes"])).is_ok());
    }
}
