//! `wendy-home sync`.

use super::progress::Waiting;
use super::say;
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::sync;

/// Make everything written so far safe on the stick: after it the stick can be pulled without loss.
///
/// For homes that are shown. Whoever may write to a home may do this.
#[derive(Debug, Args)]
pub struct Sync {
    /// Where a home is shown, or the directory on the stick that holds it [default: all that are shown]
    directory: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    /// Where the homes are shown.
    synced: Vec<String>,
}

impl Sync {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let shown = Waiting::new("writing to the stick", None);
        let synced = match &self.directory {
            None => sync::all()?,
            Some(path) => {
                sync::one(path).with_context(|| format!("cannot sync {}", path.display()))?
            }
        };
        drop(shown);
        if self.json {
            let synced = synced.iter().map(|place| place.display().to_string());
            say::object(&Report {
                synced: synced.collect(),
            })?;
        } else {
            self.print(&synced)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, synced: &[PathBuf]) -> std::io::Result<()> {
        // The directory of a home that is not shown now is synced, too.
        let places = match (&self.directory, synced) {
            (None, []) => return say::line("No home is shown: there is nothing to make safe."),
            (Some(directory), []) => std::slice::from_ref(directory),
            _ => synced,
        };
        for place in places {
            say::line(format!("Safe on the stick: {}.", place.display()))?;
        }
        Ok(())
    }
}
