//! A medium that can be pulled and put back while the home on it is in use.
//!
//! From the moment it is known to be gone every operation fails with `EIO`: the kernel would go on
//! to take writes into memory that nothing can write back.

use crate::medium::directory::{DirectoryFile, DirectoryMedium};
use crate::medium::preview::Preview;
use crate::medium::{Facts, Limits, Medium, MediumFile, Space};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The medium, wherever it is at the moment.
#[derive(Debug)]
pub struct Plugged {
    present: RwLock<Present>,
}

/// A directory and whether it is still there.
#[derive(Clone, Debug)]
struct Present {
    medium: Arc<DirectoryMedium>,
    gone: Arc<AtomicBool>,
}

/// A file of a [`Plugged`]: once its medium is pulled it stays gone.
#[derive(Debug)]
pub struct PluggedFile {
    file: DirectoryFile,
    gone: Arc<AtomicBool>,
}

impl Plugged {
    /// It is plugged in.
    #[must_use]
    pub fn new(medium: DirectoryMedium) -> Self {
        Self {
            present: RwLock::new(Present::new(medium)),
        }
    }

    /// It was pulled.
    pub fn pull(&self) {
        self.present().gone.store(true, Ordering::SeqCst);
    }

    /// It is plugged in again; files that were open stay gone.
    pub fn put(&self, medium: DirectoryMedium) {
        self.pull();
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = Present::new(medium);
    }

    fn present(&self) -> Present {
        self.present
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn with<T>(&self, operation: impl FnOnce(&DirectoryMedium) -> io::Result<T>) -> io::Result<T> {
        let present = self.present();
        guard(&present.gone, || operation(&present.medium))
    }

    fn file(
        &self,
        open: impl FnOnce(&DirectoryMedium) -> io::Result<DirectoryFile>,
    ) -> io::Result<PluggedFile> {
        let present = self.present();
        let file = guard(&present.gone, || open(&present.medium))?;
        Ok(PluggedFile {
            file,
            gone: present.gone,
        })
    }
}

impl Present {
    fn new(medium: DirectoryMedium) -> Self {
        Self {
            medium: Arc::new(medium),
            gone: Arc::default(),
        }
    }
}

/// A medium that is a [`Plugged`] at bottom.
pub trait OnPlugged: Medium {
    /// What can be pulled.
    fn plugged(&self) -> &Plugged;
}

impl OnPlugged for Plugged {
    fn plugged(&self) -> &Plugged {
        self
    }
}

impl OnPlugged for Preview<Plugged> {
    fn plugged(&self) -> &Plugged {
        &self.0
    }
}

fn guard<T>(gone: &AtomicBool, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if gone.load(Ordering::SeqCst) {
        return Err(rustix::io::Errno::IO.into());
    }
    operation()
}

impl Medium for Plugged {
    type File = PluggedFile;

    fn limits(&self) -> Limits {
        self.present().medium.limits()
    }

    fn space(&self) -> io::Result<Space> {
        self.with(Medium::space)
    }

    fn create(&self, path: &str) -> io::Result<PluggedFile> {
        self.file(|medium| medium.create(path))
    }

    fn open(&self, path: &str) -> io::Result<PluggedFile> {
        self.file(|medium| medium.open(path))
    }

    fn make_dir(&self, path: &str) -> io::Result<()> {
        self.with(|medium| medium.make_dir(path))
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.with(|medium| medium.remove_dir(path))
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        self.with(|medium| medium.unlink(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.with(|medium| medium.rename(from, to))
    }

    fn facts(&self, path: &str) -> io::Result<Facts> {
        self.with(|medium| medium.facts(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, Facts)>> {
        self.with(|medium| medium.list(path))
    }

    fn sync_dirs(&self, paths: &[String]) -> io::Result<()> {
        self.with(|medium| medium.sync_dirs(paths))
    }

    fn sync_moved(&self, path: &str) -> io::Result<()> {
        self.with(|medium| medium.sync_moved(path))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.with(Medium::sync_names)
    }

    fn write_out(&self) -> io::Result<()> {
        self.with(Medium::write_out)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.with(Medium::sync_all)
    }
}

impl MediumFile for PluggedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        guard(&self.gone, || self.file.read_at(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        guard(&self.gone, || self.file.write_at(bytes, offset))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        guard(&self.gone, || self.file.set_len(length))
    }

    fn sync(&self) -> io::Result<()> {
        guard(&self.gone, || self.file.sync())
    }

    fn sync_data(&self) -> io::Result<()> {
        guard(&self.gone, || self.file.sync_data())
    }

    fn facts(&self) -> io::Result<Facts> {
        guard(&self.gone, || self.file.facts())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.file.descriptor()
    }
}

#[cfg(test)]
mod tests;
