//! `wendy-home export`.

use super::progress::Progress;
use super::{Identity, say};
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::export::{Exported, export};
use wendy_text::things;

/// Write a home as a tar archive, with all that the stick cannot hold by itself.
#[derive(Debug, Args)]
pub struct Export {
    /// Directory on the stick that holds the home
    directory: PathBuf,
    /// File to write, or - for standard output
    archive: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Print one JSON object; with - for the archive only where it fails
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    archive: String,
    #[serde(flatten)]
    exported: Exported,
}

impl Export {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let home = super::tree(&self.directory, self.identity.options(super::caller()))?;
        if self.archive.as_os_str() == "-" {
            if std::io::stdout().is_terminal() {
                anyhow::bail!("not writing an archive to a terminal: give a file name");
            }
            let mut out = BufWriter::new(std::io::stdout().lock());
            export(&*home, &mut out, &mut |_, _| {})?;
            return Ok(ExitCode::SUCCESS);
        }
        let file = File::create_new(&self.archive)
            .with_context(|| format!("cannot make {}", self.archive.display()))?;
        let mut out = BufWriter::new(file);
        let mut progress = Progress::new("written");
        let exported = export(&*home, &mut out, &mut |names, bytes| {
            progress.show(names, bytes)
        });
        progress.end();
        let exported = exported.context("cannot write the archive")?;
        out.into_inner()
            .map_err(std::io::IntoInnerError::into_error)?
            .sync_all()?;
        self.report(exported)?;
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, exported: Exported) -> anyhow::Result<()> {
        let archive = self.archive.display().to_string();
        if self.json {
            return Ok(say::object(&Report { archive, exported })?);
        }
        let names = say::names(exported.names);
        say::line(format!("Wrote {names} to {archive}."))?;
        if exported.sockets_left_out > 0 {
            let sockets = things(exported.sockets_left_out, "socket", "sockets");
            say::line(format!("Left out {sockets}: no archive holds any."))?;
        }
        Ok(())
    }
}
