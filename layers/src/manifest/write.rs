//! Writing a manifest from several threads.

use std::ffi::CStr;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::Xxh3Default;

use super::format::{DIRECTORY, END, MAGIC, OTHER};
use crate::{Error, Result};

/// Receives a manifest while a tree is copied; complete only after [`Writer::finish`].
pub struct Writer {
    stream: Mutex<Stream>,
}

struct Stream {
    to: BufWriter<Box<dyn Write + Send>>,
    sum: Xxh3Default,
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
    /// [`Error::Stream`] when `to` fails.
    pub fn new(to: impl Write + Send + 'static) -> Result<Self> {
        let sum = Xxh3Default::new();
        let mut stream = Stream {
            to: BufWriter::new(Box::new(to)),
            sum,
            records: 0,
            dirs: 0,
        };
        stream.put(MAGIC).map_err(failed)?;
        Ok(Self {
            stream: Mutex::new(stream),
        })
    }

    /// Ends the manifest and flushes it.
    ///
    /// # Errors
    /// [`Error::Stream`] when the stream fails.
    pub fn finish(self) -> Result<()> {
        let mut stream = self
            .stream
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        stream.end().map_err(failed)
    }

    /// Records a directory. Returns its number.
    pub(crate) fn directory(&self, parent: u32, name: &CStr, hash: u64) -> Result<u32> {
        let mut record = Records::default();
        record.put(DIRECTORY, parent, name, hash);
        let mut stream = self.lock();
        let number = stream.dirs;
        stream.dirs += 1;
        stream.append(&record).map_err(failed)?;
        Ok(number)
    }

    /// Appends entries of a directory recorded before.
    pub(crate) fn append(&self, records: &Records) -> Result<()> {
        self.lock().append(records).map_err(failed)
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
    fn append(&mut self, records: &Records) -> io::Result<()> {
        self.records += records.count;
        self.put(&records.bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.put(&[END])?;
        self.put(&self.records.to_le_bytes())?;
        self.to.write_all(&self.sum.digest().to_le_bytes())?;
        self.to.flush()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.to.write_all(bytes)
    }
}

fn failed(source: io::Error) -> Error {
    Error::Stream {
        what: "manifest",
        source,
    }
}
