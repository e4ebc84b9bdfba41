//! `wendy-home`: a home directory on an ordinary FAT stick.

use clap::Parser;
use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match cli::run(&cli::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            cli::say::failure(&error);
            ExitCode::FAILURE
        }
    }
}
