//! `wendyctl completion`: scripts for shells.

use std::io::{Write, stdout};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::{self, Args};
use crate::error::Failure;

/// Prints the script.
pub fn run(args: &args::Completion) -> Result<(), Failure> {
    let shell = match args.shell {
        args::Shell::Bash => Shell::Bash,
        args::Shell::Zsh => Shell::Zsh,
        args::Shell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "wendyctl", &mut script);
    Ok(stdout().lock().write_all(&script)?)
}
