//! `wendy-home login`.

use clap::{Args, Subcommand};
use std::process::ExitCode;
use wendy_home::login::{hook, serve};

/// Bring a home at login and let it go at logout; run by PAM and systemd.
#[derive(Debug, Args)]
pub struct Login {
    #[command(subcommand)]
    when: When,
}

#[derive(Debug, Subcommand)]
enum When {
    /// A session opens: get the home from the stick, for pam_exec(8)
    Open,
    /// A session closes: let the home go if it was the last, for pam_exec(8)
    Close,
    /// Find the stick, show the home, and keep it until asked to end
    Serve {
        /// Number of the user
        uid: u32,
    },
}

impl Login {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let session = hook::Session::from_environment();
        match self.when {
            When::Open => hook::open(&session)?,
            When::Close => hook::close(&session)?,
            When::Serve { uid } => serve::serve(uid, super::host_id())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
