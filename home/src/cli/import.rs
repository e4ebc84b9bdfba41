//! `wendy-home import`.

use super::progress::Progress;
use super::{Identity, say};
use anyhow::Context as _;
use clap::Args;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wendy_home::home::Home;
use wendy_home::import::{Imported, LeftOut, archive, directory};
use wendy_home::mode::Mode;
use wendy_text::{size, things};

/// Bring a directory or an exported archive into a home that is not mounted.
#[derive(Debug, Args)]
pub struct Import {
    /// Directory on the stick that holds the home
    directory: PathBuf,
    /// Directory, or tar archive, or - for an archive from standard input
    source: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Import {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        self.refuse_itself()?;
        let medium = super::locked(&self.directory)?;
        let options = self.identity.options(super::caller());
        if super::mode_to_write(&self.directory, &medium, options)? == Mode::Image {
            anyhow::bail!("a home kept as an image takes files while it is shown: copy them there");
        }
        let (home, _) = Home::open(medium, options)?;
        let (mut progress, mut names) = (Progress::new("brought in"), 0);
        let mut tell = |so_far: &Imported| {
            names = so_far.names;
            progress.show(so_far.names, so_far.bytes);
        };
        let source = self.source.display();
        let imported = if self.source.as_os_str() == "-" {
            archive::import(&home, &mut std::io::stdin().lock(), &mut tell)
        } else if self.source.is_dir() {
            directory::import(&home, &self.source, &mut tell)
        } else {
            let file = File::open(&self.source).with_context(|| format!("cannot open {source}"))?;
            archive::import(&home, &mut BufReader::new(file), &mut tell)
        };
        progress.end();
        let imported = imported.with_context(|| match names {
            0 => format!("cannot bring in {source}"),
            _ => format!(
                "cannot bring in all of {source} ({} came in so far; the next import goes on there)",
                say::names(names)
            ),
        });
        // What has come in by then is whole, file by file.
        home.close()
            .context("cannot write everything to the stick")?;
        self.print(&imported?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// A home that brings in itself would never be done. What is mounted twice has two paths: the
    /// directories themselves are compared.
    fn refuse_itself(&self) -> anyhow::Result<()> {
        let identity = |path: &Path| path.metadata().map(|facts| (facts.dev(), facts.ino()));
        let (Ok(home), Ok(source)) = (self.directory.canonicalize(), identity(&self.source)) else {
            return Ok(());
        };
        let mut above = home.ancestors().filter_map(|path| identity(path).ok());
        anyhow::ensure!(
            !above.any(|above| above == source),
            "the home is itself in {}: name what is to come in",
            self.source.display()
        );
        Ok(())
    }

    fn print(&self, imported: &Imported) -> anyhow::Result<()> {
        if self.json {
            return Ok(say::object(imported)?);
        }
        let Imported {
            names, bytes, same, ..
        } = imported;
        let (names, bytes) = (say::names(*names), size(*bytes));
        let same = things(*same, "was", "were");
        say::line(format!(
            "Brought in {names} with {bytes}; {same} there already."
        ))?;
        for path in &imported.beside {
            say::line(format!(
                "Differs from what was there, so both are kept: {path}"
            ))?;
        }
        for LeftOut { path, why } in &imported.left_out {
            say::line(format!("Left out: {path} ({why})"))?;
        }
        for attribute in &imported.attributes_left_out {
            say::line(format!(
                "Attribute left out, because no home can hold it: {attribute}"
            ))?;
        }
        Ok(())
    }
}
