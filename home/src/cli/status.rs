//! `wendy-home status`.

use super::{Identity, preview};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::home::Reconciled;
use wendy_home::medium::Space;
use wendy_home::record::Kind;

/// Say what a home holds and how it is, changing nothing.
#[derive(Debug, Args)]
pub struct Status {
    /// Directory on the stick that holds the home
    directory: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    home: String,
    clean: bool,
    in_use: bool,
    uses: u64,
    last_host_is_this: bool,
    files: u64,
    directories: u64,
    others: u64,
    bytes: u64,
    unsettled: usize,
    since_last_use: Reconciled,
    space: Space,
}

impl Status {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let in_use = super::open_medium(&self.directory)?.lock().is_err();
        let options = self.identity.options(super::caller());
        let (home, since_last_use) = preview(&self.directory, options)?;
        let before = super::superblock(&self.directory)?;
        let (mut files, mut directories, mut others, mut bytes) = (0, 0, 0, 0);
        home.with_table(|table| {
            for inode in table.inodes().filter_map(|ino| table.inode(ino)) {
                match inode.kind {
                    Kind::File => (files, bytes) = (files + 1, bytes + inode.size),
                    Kind::Directory => directories += 1,
                    _ => others += 1,
                }
            }
        });
        let report = Report {
            home: uuid::Uuid::from_bytes(before.home).to_string(),
            clean: before.clean,
            in_use,
            uses: before.epoch,
            last_host_is_this: before.host == options.host,
            files,
            directories,
            others,
            bytes,
            unsettled: home.with_table(wendy_home::table::Table::unsettled_count),
            since_last_use,
            space: home.space()?,
        };
        if self.json {
            println!("{}", serde_json::to_string(&report)?)
        } else {
            print(&report)
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(report: &Report) {
    let state = match (report.in_use, report.clean) {
        (true, _) => "in use",
        (false, true) => "closed in order",
        (false, false) => "pulled while in use; the next use brings it in order",
    };
    println!("Home {}: {state}.", report.home);
    println!(
        "{} files with {} bytes, {} directories, {} links and others.",
        report.files, report.bytes, report.directories, report.others
    );
    println!(
        "{} of {} bytes free on the stick.",
        report.space.free, report.space.size
    );
    super::print_reconciled(&report.since_last_use);
}
