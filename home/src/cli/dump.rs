//! `wendy-home dump`.

use super::{Identity, mode_to_read, preview};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::home::{Home, Visited};
use wendy_home::ids::{Ino, Time};
use wendy_home::medium::Medium;
use wendy_home::mode::Mode;
use wendy_home::record::Kind;
use wendy_home::tree::Tree;
use wendy_text::json;

/// Print all metadata of a home, one JSON object for each name.
#[derive(Debug, Args)]
pub struct Dump {
    /// Directory on the stick that holds the home
    directory: PathBuf,
    #[command(flatten)]
    identity: Identity,
}

/// Bytes appear as text where they are UTF-8, with `\xNN` for the rest.
#[derive(Debug, Serialize)]
struct Line {
    path: String,
    ino: u64,
    kind: String,
    mode: String,
    uid: u32,
    gid: u32,
    links: u32,
    size: u64,
    accessed: String,
    modified: String,
    changed: String,
    born: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<String, String>,
    /// Path on the stick.
    #[serde(skip_serializing_if = "Option::is_none")]
    lower: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u16>,
}

impl Dump {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let options = self.identity.options(super::caller());
        let (medium, mode) = mode_to_read(&self.directory)?;
        match mode {
            Mode::Files => {
                let (home, _) = preview(medium, options)?;
                dump(&home, &|ino| lower(&home, ino))?;
            }
            Mode::Image => dump(&*super::tree(&self.directory, options)?, &|_| (None, None))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Where an inode is on the stick, and in how many parts if they are several.
type Lower = (Option<String>, Option<u16>);

fn lower<M: Medium>(home: &Home<M>, ino: Ino) -> Lower {
    home.with_table(|table| {
        let parts = table.lower(ino).map(|lower| lower.parts);
        (table.part_path(ino, 1), parts.filter(|parts| *parts > 1))
    })
}

fn dump(home: &dyn Tree, lower: &dyn Fn(Ino) -> Lower) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    home.visit(&mut |visited| {
        let line = line(home, visited, lower(visited.attributes.ino))?;
        writeln!(out, "{}", json::line(&line))
    })?;
    out.flush()
}

fn line(home: &dyn Tree, visited: &Visited, (lower, parts): Lower) -> std::io::Result<Line> {
    let a = &visited.attributes;
    let target = if a.kind == Kind::Symlink {
        Some(home.target(visited)?)
    } else {
        None
    };
    let xattrs = home.xattrs(visited)?;
    let xattrs = xattrs.iter().map(|(name, value)| (text(name), text(value)));
    Ok(Line {
        path: text(&visited.path),
        ino: a.ino.0,
        kind: format!("{:?}", a.kind).to_lowercase(),
        mode: format!("{:04o}", a.mode),
        uid: a.uid,
        gid: a.gid,
        links: a.links,
        size: a.size,
        accessed: time(a.times.accessed),
        modified: time(a.times.modified),
        changed: time(a.times.changed),
        born: time(a.times.born),
        target: target.map(|target| text(&target)),
        xattrs: xattrs.collect(),
        lower,
        parts,
    })
}

fn time(time: Time) -> String {
    format!("{}.{:09}", time.seconds, time.nanos)
}

fn text(bytes: &[u8]) -> String {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        let invalid: String = chunk
            .invalid()
            .iter()
            .map(|b| format!("\\x{b:02x}"))
            .collect();
        chunk.valid().replace('\\', "\\\\") + &invalid
    };
    bytes.utf8_chunks().map(chunk).collect()
}
