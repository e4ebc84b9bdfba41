//! `wendy-home fsck`.
//!
//! Exit codes as fsck(8): 0 nothing wrong, 1 repaired, 4 left as it is, 8 could not look.

use super::{Identity, open_medium, preview, print_reconciled};
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::home::{Home, Reconciled};
use wendy_home::store::OpenError;
use wendy_home::{home, readme};

/// Check a home, and bring it in order with --repair; check the stick itself with fsck.vfat before.
#[derive(Debug, Args)]
pub struct Fsck {
    /// Directory on the stick that holds the home
    directory: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Bring the home in order; rebuild metadata that cannot be read from the files
    #[arg(long)]
    repair: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    damage: Option<String>,
    rebuilt: bool,
    clean: bool,
    found: Reconciled,
}

impl Fsck {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let report = if self.repair {
            self.repair()?
        } else {
            self.check()?
        };
        if self.json {
            println!("{}", serde_json::to_string(&report)?)
        } else {
            print(&report)
        }
        let wrong = report.damage.is_some() || !report.clean || report.found.is_anything();
        Ok(match (wrong, self.repair) {
            (false, _) => ExitCode::SUCCESS,
            (true, true) => ExitCode::from(1),
            (true, false) => ExitCode::from(4),
        })
    }

    fn check(&self) -> anyhow::Result<Report> {
        let options = self.identity.options(super::caller());
        match preview(&self.directory, options) {
            Ok((_, found)) => {
                let clean = super::superblock(&self.directory)?.clean;
                Ok(Report {
                    damage: None,
                    rebuilt: false,
                    clean,
                    found,
                })
            }
            Err(error) => Ok(Report {
                damage: Some(damage(&error).with_context(|| format!("{error:#}"))?),
                rebuilt: false,
                clean: false,
                found: Reconciled::default(),
            }),
        }
    }

    fn repair(&self) -> anyhow::Result<Report> {
        let checked = self.check()?;
        let options = self.identity.options(super::caller());
        let medium = open_medium(&self.directory)?;
        medium
            .lock()
            .context("the home is in use: unmount it before")?;
        if checked.damage.is_some() {
            home::set_aside(&medium).context("cannot set the damaged metadata aside")?;
            home::create(&medium, uuid::Uuid::new_v4().into_bytes())?;
            readme::write(&medium)?;
        }
        let rebuilt = checked.damage.is_some();
        let (home, found) = Home::open(medium, options)?;
        home.close().context("cannot finish the repair")?;
        Ok(Report {
            rebuilt,
            found,
            ..checked
        })
    }
}

/// What is damaged, if that is why a home does not open.
fn damage(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref()? {
        OpenError::Damaged(what) => Some(what.clone()),
        _ => None,
    }
}

fn print(report: &Report) {
    match (&report.damage, report.rebuilt) {
        (Some(what), true) => println!("The metadata was damaged ({what}) and is made anew."),
        (Some(what), false) => println!("The metadata is damaged: {what}."),
        (None, _) if report.clean => println!("The home was closed in order."),
        (None, _) => println!("The home was not closed in order."),
    }
    print_reconciled(&report.found);
}
