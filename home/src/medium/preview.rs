//! A medium that is only looked at: changes seem to succeed and happen nowhere.
//!
//! Opening a home on it shows what opening it in earnest would find and do.

use super::{FactKind, Facts, Limits, Medium, MediumFile, Space};
use std::io;
use std::os::fd::BorrowedFd;

/// See the [module](self).
#[derive(Debug)]
pub struct Preview<M>(pub M);

/// A file of a [`Preview`]; one that was never there has no lower file.
#[derive(Debug)]
pub struct PreviewFile<F>(Option<F>);

impl<M: Medium> Medium for Preview<M> {
    type File = PreviewFile<M::File>;

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn space(&self) -> io::Result<Space> {
        self.0.space()
    }

    fn create(&self, _path: &str) -> io::Result<Self::File> {
        Ok(PreviewFile(None))
    }

    fn open(&self, path: &str) -> io::Result<Self::File> {
        self.0.open(path).map(|file| PreviewFile(Some(file)))
    }

    fn make_dir(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove_dir(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn unlink(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        Ok(())
    }

    fn facts(&self, path: &str) -> io::Result<Facts> {
        self.0.facts(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, Facts)>> {
        self.0.list(path)
    }

    fn sync_moved(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_dirs(&self, _paths: &[String]) -> io::Result<()> {
        Ok(())
    }

    fn write_out(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}

impl<F: MediumFile> MediumFile for PreviewFile<F> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0
            .as_ref()
            .map_or(Ok(0), |file| file.read_at(buffer, offset))
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn facts(&self) -> io::Result<Facts> {
        let nothing = Facts {
            kind: FactKind::File,
            size: 0,
            allocated: 0,
            modified: 0,
            modified_nanos: 0,
            born: 0,
        };
        self.0.as_ref().map_or(Ok(nothing), MediumFile::facts)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
