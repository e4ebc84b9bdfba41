//! `wendyctl`: the command line of wendy.
//!
//! It talks to the daemon and to people, and does nothing by itself: no device is opened here, no
//! decision about a medium is taken here. What it prints of names it did not invent is escaped.

mod args;
mod bus;
mod commands;
mod consent;
mod error;
mod follow;
mod output;
mod resolve;
mod world;

use std::process::ExitCode;

use clap::Parser;

use args::Args;
use error::Failure;
use output::Output;

fn main() -> ExitCode {
    let args = Args::parse();
    let output = Output::new(args.json);
    match run(&args, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit.code())
        }
    }
}

fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(commands::run(&args.command, output))
}
