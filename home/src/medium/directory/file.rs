//! An open file of a directory.

use super::device::Device;
use super::resolve::statx;
use crate::medium::{Facts, MediumFile};
use rustix::fs::{self, AtFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A file of a [`DirectoryMedium`].
#[derive(Debug)]
pub struct DirectoryFile {
    pub(super) fd: OwnedFd,
    /// What to sync besides.
    pub(super) device: Option<Arc<Device>>,
}

impl MediumFile for DirectoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match rustix::io::pread(&self.fd, &mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match rustix::io::pwrite(&self.fd, &bytes[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Ok(fs::ftruncate(&self.fd, length)?)
    }

    fn sync(&self) -> io::Result<()> {
        fs::fsync(&self.fd)?;
        self.device.as_ref().map_or(Ok(()), |device| device.sync())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(fs::fdatasync(&self.fd)?)
    }

    fn facts(&self) -> io::Result<Facts> {
        Ok(statx(self.fd.as_fd(), "", AtFlags::EMPTY_PATH)?)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }
}
