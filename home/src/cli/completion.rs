//! `wendy-home completion`.

use super::Arguments;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::io::Write as _;
use std::process::ExitCode;

/// Print a completion script for a shell.
#[derive(Debug, Args)]
pub struct Completion {
    /// Shell to complete in
    #[arg(value_enum)]
    shell: Shell,
}

impl Completion {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        let mut command = Arguments::command();
        clap_complete::generate(self.shell, &mut command, "wendy-home", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}
