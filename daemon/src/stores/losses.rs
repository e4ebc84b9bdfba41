//! What could not be written to a filesystem, kept in mind until the system ends.
//!
//! The kernel tells of a failed write once: to whoever opens a file there first and has all written
//! back (`errseq_sample` in Linux, lib/errseq.c). The next one hears that all went well, though what
//! the running system has written there is as lost as before. So it is noted in `/run`, which is
//! forgotten with the system and outlives a daemon.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    os::fd::AsFd,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::fs::fstat;
use wendy_sys::{DevNum, Errno, block, mount};

use crate::error::{During, Result, os};

/// Losses by the filesystem they happened to.
type Notes = BTreeMap<String, String>;

/// What is known of losses. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    /// One line for each: its filesystem, a tabulator, what the kernel said.
    file: Option<PathBuf>,
    /// What is not in the file, if that cannot be written.
    notes: Arc<Mutex<Notes>>,
}

impl Losses {
    /// Kept in this file as well, which is made when it is needed.
    pub fn new(file: impl Into<PathBuf>) -> Losses {
        Losses {
            file: Some(file.into()),
            ..Losses::default()
        }
    }

    /// What the kernel said when something was lost on the filesystem that holds `fd`, on this
    /// medium; none if nothing is known to be.
    ///
    /// # Errors
    /// Of the kernel.
    pub fn of(&self, fd: impl AsFd) -> Result<Option<String>> {
        let filesystem = filesystem(fd)?;
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.extend(self.read());
        Ok(notes.get(&filesystem).cloned())
    }

    /// Has everything written back to the filesystem that holds `fd`, and notes what cannot be.
    ///
    /// # Errors
    /// Every write that failed and that nobody was told of when `fd` was opened.
    pub fn sync(&self, fd: impl AsFd) -> wendy_sys::Result<()> {
        let synced = mount::syncfs(&fd);
        // To what is read-only nothing was to be written.
        if let Err(error) = &synced
            && error.errno() != Some(Errno::ROFS)
        {
            self.note(fd, error);
        }
        synced
    }

    fn note(&self, fd: impl AsFd, loss: &wendy_sys::Error) {
        let Ok(filesystem) = filesystem(fd) else {
            return;
        };
        tracing::warn!(%filesystem, error = %loss, "something that was written is lost");
        let loss = loss.to_string().replace('\n', " ");
        if let Err(error) = self.write(&format!("{filesystem}\t{loss}\n")) {
            tracing::warn!(%error, "this is forgotten when the daemon ends");
        }
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(filesystem, loss);
    }

    fn read(&self) -> Notes {
        let text = self
            .file
            .as_ref()
            .and_then(|file| fs::read_to_string(file).ok());
        let text = text.unwrap_or_default();
        let notes = text.lines().filter_map(|line| line.split_once('\t'));
        notes
            .map(|(of, loss)| (of.to_owned(), loss.to_owned()))
            .collect()
    }

    fn write(&self, line: &str) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        fs::create_dir_all(file.parent().unwrap_or(file))?;
        let mut file = File::options().create(true).append(true).open(file)?;
        file.write_all(line.as_bytes())
    }
}

/// The filesystem that holds `fd`: by its number, which another one can have later, and by its
/// medium, if it has one.
fn filesystem(fd: impl AsFd) -> Result<String> {
    let what = "looking at a filesystem";
    let number = DevNum::new(fstat(fd).map_err(os(what)).during(what)?.st_dev);
    let medium = block::disk_sequence(number).unwrap_or_default();
    Ok(format!("{number} {medium}"))
}
