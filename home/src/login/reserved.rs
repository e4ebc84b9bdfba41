//! Sticks that are ours although nothing of them is mounted: pulled while in use, and expected back.
//!
//! A file in [`DIRECTORY`], called by the identity of the filesystem, tells udev's rule
//! (`70-wendy-home.rules`), which keeps desktops from mounting the stick first.

use super::sticks::Stick;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

const DIRECTORY: &str = "/run/wendy-home/sticks";

/// A stick that is ours until this is dropped.
#[derive(Debug)]
pub struct Reserved {
    file: PathBuf,
}

impl Reserved {
    /// Reserves a stick.
    ///
    /// # Errors
    /// `InvalidInput` if its filesystem has no identity, those of making a file.
    pub fn new(stick: &Stick) -> io::Result<Self> {
        Self::in_directory(Path::new(DIRECTORY), &stick.uuid)
    }

    fn in_directory(directory: &Path, uuid: &str) -> io::Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if uuid.is_empty() || !uuid.chars().all(plain) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let file = directory.join(uuid);
        File::create(&file)?;
        Ok(Self { file })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.file) {
            tracing::warn!(path = %self.file.display(), %error, "cannot remove");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_is_reserved_until_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let reserved = Reserved::in_directory(&dir.path().join("new"), "1234-ABCD").unwrap();
        assert!(dir.path().join("new/1234-ABCD").exists());
        drop(reserved);
        assert!(!dir.path().join("new/1234-ABCD").exists());
    }

    #[test]
    fn what_a_stick_says_of_itself_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        for uuid in ["", "..", "../x", "a/b", "a\0"] {
            assert!(
                Reserved::in_directory(dir.path(), uuid).is_err(),
                "{uuid:?}"
            );
        }
    }
}
