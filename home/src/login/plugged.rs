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

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.with(|medium| medium.sync_dir(path))
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
mod tests {
    use super::*;
    use crate::home::{self, Home, NewNode, Options};
    use crate::ids::Ino;
    use crate::record::Kind;
    use rustix::io::Errno;
    use std::path::Path;

    fn directory(path: &Path) -> DirectoryMedium {
        DirectoryMedium::open(path).unwrap()
    }

    fn is_eio<T>(result: io::Result<T>) -> bool {
        matches!(result, Err(error) if error.raw_os_error() == Some(libc::EIO))
    }

    #[test]
    fn a_pulled_medium_fails_at_once_and_a_returned_one_works() {
        let dir = tempfile::tempdir().unwrap();
        let medium = Plugged::new(directory(dir.path()));
        let file = medium.create("file").unwrap();
        file.write_at(b"kept", 0).unwrap();
        medium.pull();
        assert!(is_eio(file.write_at(b"lost", 0)) && is_eio(file.sync()));
        assert!(is_eio(medium.open("file")) && is_eio(medium.sync_all()));

        medium.put(directory(dir.path()));
        assert!(is_eio(file.sync()), "an old file came back to life");
        let mut bytes = [0; 4];
        medium.open("file").unwrap().read_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"kept");
    }

    /// Copies what is durable, as a stick has it that is pulled now.
    fn pulled_copy(from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                std::fs::create_dir(&to).unwrap();
                pulled_copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), &to).unwrap();
            }
        }
    }

    #[test]
    fn a_home_goes_on_with_what_was_synced() {
        let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        home::create(&directory(before.path()), [1; 16]).unwrap();
        let medium = Plugged::new(directory(before.path()));
        let (home, _) = Home::open(medium, Options::new(1, 1)).unwrap();
        let node = NewNode {
            kind: Kind::File,
            mode: 0o600,
            uid: 1,
            gid: 1,
            device: 0,
            target: Vec::new(),
        };
        let (kept, _) = home.create(Ino::ROOT, b"kept", &node).unwrap();
        home.write(kept.ino, 0, b"text").unwrap();
        home.sync_file(kept.ino).unwrap();
        pulled_copy(before.path(), after.path());
        let (lost, _) = home.create(Ino::ROOT, b"lost", &node).unwrap();
        home.medium().pull();
        assert_eq!(home.write(kept.ino, 0, b"more"), Err(Errno::IO));
        assert_eq!(home.make(Ino::ROOT, b"new", &node), Err(Errno::IO));

        let put = |plugged: &Plugged| plugged.put(directory(after.path()));
        let stale = home.resume(put).unwrap();
        assert_eq!(stale.names, [(Ino::ROOT, b"lost".to_vec())]);
        assert_eq!(home.read(kept.ino, 0, 9).unwrap(), b"text");
        assert_eq!(home.lookup(Ino::ROOT, b"lost"), Err(Errno::NOENT));
        home.write(kept.ino, 4, b" and more").unwrap();
        let (new, _) = home.create(Ino::ROOT, b"new", &node).unwrap();
        assert!(new.ino > lost.ino, "a number was used again");
        for ino in [kept.ino, new.ino] {
            home.release(ino).unwrap();
        }
        home.close().unwrap();
        let text = std::fs::read_to_string(after.path().join("kept")).unwrap();
        assert_eq!(text, "text and more");
    }
}
