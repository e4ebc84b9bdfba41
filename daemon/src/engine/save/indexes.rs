//! What earlier saves of this boot remember: one file per session in `/run`.
//!
//! Never on a medium, because an index is believed: it says which files need not be looked at.
//! Each is tied to the upper layer it describes and to the generation that was made from it.

use std::{
    fs::{self, File, Permissions},
    io::{BufRead, BufReader, Write},
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::fstat;
use wendy_layers::Index;
use wendy_store::SessionId;

use crate::engine::Source;

/// The directory of all indexes.
#[derive(Debug, Clone)]
pub struct Indexes(PathBuf);

impl Indexes {
    /// Kept in `directory`, which is made when it is needed.
    pub fn new(directory: impl Into<PathBuf>) -> Indexes {
        Indexes(directory.into())
    }

    /// The index of the generation with this identity, if it describes this upper layer. One that
    /// cannot be read is none: the save takes longer then.
    pub fn read(&self, session: SessionId, generation: &str, source: &Source) -> Option<Index> {
        let mut file = BufReader::new(File::open(self.path(session)).ok()?);
        let mut head = String::new();
        file.read_line(&mut head).ok()?;
        if head != header(generation, source)? {
            return None;
        }
        Index::read(file).ok()
    }

    /// Keeps the index of a generation just made. Failing to is no failure of the save.
    pub fn write(&self, session: SessionId, generation: &str, source: &Source, index: &Index) {
        if let Err(error) = self.try_write(session, generation, source, index) {
            tracing::warn!(%session, %error, "the next save of the session will copy everything");
        }
    }

    fn try_write(
        &self,
        session: SessionId,
        generation: &str,
        source: &Source,
        index: &Index,
    ) -> anyhow::Result<()> {
        let header = header(generation, source)
            .ok_or_else(|| anyhow::anyhow!("the upper layer has no identity"))?;
        fs::create_dir_all(&self.0)?;
        fs::set_permissions(&self.0, Permissions::from_mode(0o700))?;
        let mut file = tempfile_in(&self.0, session)?;
        file.1.write_all(header.as_bytes())?;
        index.write(&file.1)?;
        fs::rename(file.0, self.path(session))?;
        Ok(())
    }

    fn path(&self, session: SessionId) -> PathBuf {
        self.0.join(session.to_string())
    }
}

/// Nobody but us can make names in this directory.
fn tempfile_in(directory: &Path, session: SessionId) -> std::io::Result<(PathBuf, File)> {
    let path = directory.join(format!("{session}.new"));
    let file = File::create(&path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok((path, file))
}

/// The upper layer by the device and inode number of its top, which stay as long as it lives.
fn header(generation: &str, source: &Source) -> Option<String> {
    let stat = fstat(source.upper.as_fd()).ok()?;
    Some(format!("{generation} {} {}\n", stat.st_dev, stat.st_ino))
}
