//! `wendy-home`: a home directory on an ordinary FAT stick.

use clap::Parser;
use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let arguments = cli::Arguments::parse();
    match cli::run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            cli::say::failure(&error, 1, arguments.is_json());
            ExitCode::FAILURE
        }
    }
}
