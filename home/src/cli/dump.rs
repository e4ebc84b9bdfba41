//! `wendy-home dump`.

use super::{Identity, preview};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use wendy_home::home::{Home, Visited};
use wendy_home::ids::Time;
use wendy_home::medium::Medium;
use wendy_home::record::Kind;

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
        let (home, _) = preview(&self.directory, self.identity.options(super::caller()))?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        home.walk::<std::io::Error>(|visited| {
            serde_json::to_writer(&mut out, &line(&home, visited)?)?;
            out.write_all(b"\n")
        })?;
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn line<M: Medium>(home: &Home<M>, visited: &Visited) -> std::io::Result<Line> {
    let a = &visited.attributes;
    let target = if a.kind == Kind::Symlink {
        Some(home.read_link(a.ino)?)
    } else {
        None
    };
    let names = home.xattr_names(a.ino)?;
    let names = names.split(|b| *b == 0).filter(|name| !name.is_empty());
    let xattr = |name: &[u8]| Ok((text(name), text(&home.xattr(a.ino, name)?)));
    let (lower, parts) = home.with_table(|table| {
        let lower = table.lower(a.ino);
        (
            table.part_path(a.ino, 1),
            lower.map(|lower| lower.parts).filter(|parts| *parts > 1),
        )
    });
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
        xattrs: names.map(xattr).collect::<std::io::Result<_>>()?,
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
