//! The subcommands, one file each.

mod completion;
mod default;
mod delete;
mod devices;
mod jobs;
mod man;
mod prepare;
mod rename;
mod report;
mod save;
mod session;
mod sessions;
mod status;
mod verify;
mod watch;

use crate::args::Command;
use crate::error::Failure;
use crate::output::Output;

/// Runs a subcommand.
pub async fn run(command: &Command, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Status => status::run(output).await,
        Command::Devices(args) => devices::run(args, output).await,
        Command::Prepare(args) => prepare::run(args, output).await,
        Command::Save(args) => save::run(args, output).await,
        Command::Sessions(args) => sessions::run(args, output).await,
        Command::Session(args) => session::run(args, output).await,
        Command::Rename(args) => rename::run(args, output).await,
        Command::Delete(args) => delete::run(args, output).await,
        Command::Default(args) => default::run(args, output).await,
        Command::Verify(args) => verify::run(args, output).await,
        Command::Jobs(args) => jobs::run(args, output).await,
        Command::Watch(args) => watch::run(args, output).await,
        Command::Report => report::run(output).await,
        Command::Completion(args) => completion::run(args),
        Command::Man(args) => man::run(args),
    }
}
