//! Writing a manifest from several threads.

use std::ffi::CStr;
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::format::{DIRECTORY, END, FORMAT, OTHER};
use crate::{Result, summed};

/// Receives a manifest while a tree is copied; complete only after [`Writer::finish`].
pub struct Writer {
    stream: Mutex<Stream>,
}

struct Stream {
    to: summed::Writer<Box<dyn Write + Send>>,
    records: u64,
    dirs: u32,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// A manifest that goes to `to`.
    ///
    /// # Errors
    /// [`crate::Error::Stream`] when `to` fails.
    pub fn new(to: impl Write + Send + 'static) -> Result<Self> {
        let to: Box<dyn Write + Send> = Box::new(to);
        let stream = Stream {
            to: summed::Writer::new(&FORMAT, to)?,
            records: 0,
            dirs: 0,
        };
        Ok(Self {
            stream: Mutex::new(stream),
        })
    }

    /// Ends the manifest and flushes it.
    ///
    /// # Errors
    /// [`crate::Error::Stream`] when the stream fails.
    pub fn finish(self) -> Result<()> {
        self.stream
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .finish()
    }

    /// Records a directory. Returns its number.
    pub(crate) fn directory(&self, parent: u32, name: &CStr, hash: u64) -> Result<u32> {
        let mut record = Records::default();
        record.put(DIRECTORY, parent, name, hash);
        let mut stream = self.lock();
        let number = stream.dirs;
        stream.dirs += 1;
        stream.append(&record)?;
        Ok(number)
    }

    /// Appends entries of a directory recorded before.
    pub(crate) fn append(&self, records: &Records) -> Result<()> {
        self.lock().append(records)
    }

    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records not yet handed to the writer.
#[derive(Debug, Default)]
pub(crate) struct Records {
    bytes: Vec<u8>,
    count: u64,
}

impl Records {
    /// Adds the entry `name` of the directory with the number `parent`.
    pub fn entry(&mut self, parent: u32, name: &CStr, hash: u64) {
        self.put(OTHER, parent, name, hash);
    }

    fn put(&mut self, kind: u8, parent: u32, name: &CStr, hash: u64) {
        let name = name.to_bytes();
        let length = u8::try_from(name.len()).expect("NAME_MAX is 255");
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&parent.to_le_bytes());
        self.bytes.extend_from_slice(&hash.to_le_bytes());
        self.bytes.push(length);
        self.bytes.extend_from_slice(name);
        self.count += 1;
    }

    /// Whether there is nothing to hand over.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Makes room for the next entries.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

impl Stream {
    fn append(&mut self, records: &Records) -> Result<()> {
        self.records += records.count;
        self.to.put(&records.bytes)
    }

    fn finish(mut self) -> Result<()> {
        self.to.put(&[END])?;
        self.to.put(&self.records.to_le_bytes())?;
        self.to.finish()
    }
}
