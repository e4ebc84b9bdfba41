//! Files that begin with a magic number and end with the XXH3 checksum of all bytes before it, little
//! endian: the index and the manifest.

use std::io::{self, BufReader, BufWriter, Read, Write};

use xxhash_rust::xxh3::Xxh3Default;

use crate::{Error, Result};

/// Bytes read or written at once.
const BUFFER: usize = 1 << 16;

/// One kind of such files.
pub(crate) struct Format {
    /// `index` or `manifest`, for messages.
    pub what: &'static str,
    pub magic: &'static [u8; 8],
    /// What to say of a file that breaks the format, and why.
    pub damaged: fn(&'static str) -> Error,
}

impl Format {
    fn failed(&self, source: io::Error) -> Error {
        Error::Stream {
            what: self.what,
            source,
        }
    }
}

/// Writes a file; complete only after [`Writer::finish`].
pub(crate) struct Writer<W: Write> {
    format: &'static Format,
    to: BufWriter<W>,
    sum: Xxh3Default,
}

impl<W: Write> Writer<W> {
    pub fn new(format: &'static Format, to: W) -> Result<Self> {
        let mut writer = Self {
            format,
            to: BufWriter::with_capacity(BUFFER, to),
            sum: Xxh3Default::new(),
        };
        writer.put(format.magic)?;
        Ok(writer)
    }

    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum.update(bytes);
        self.to
            .write_all(bytes)
            .map_err(|error| self.format.failed(error))
    }

    /// Appends the checksum and flushes.
    pub fn finish(mut self) -> Result<()> {
        let sum = self.sum.digest();
        self.put(&sum.to_le_bytes())?;
        self.to.flush().map_err(|error| self.format.failed(error))
    }
}

/// Reads a file that may be damaged.
pub(crate) struct Reader<R> {
    format: &'static Format,
    from: BufReader<R>,
    sum: Xxh3Default,
}

impl<R: Read> Reader<R> {
    /// Begins to read `from`, which has to be of this format.
    pub fn new(format: &'static Format, from: R) -> Result<Self> {
        let mut reader = Self {
            format,
            from: BufReader::with_capacity(BUFFER, from),
            sum: Xxh3Default::new(),
        };
        if reader.take::<8>()? != *format.magic {
            return Err((format.damaged)("it is of another version"));
        }
        Ok(reader)
    }

    pub fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.from
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => (self.format.damaged)("it is incomplete"),
                _ => self.format.failed(error),
            })?;
        self.sum.update(bytes);
        Ok(())
    }

    /// Compares what was read with the checksum, which comes next.
    pub fn finish(&mut self) -> Result<()> {
        let sum = self.sum.digest();
        if u64::from_le_bytes(self.take()?) != sum {
            return Err((self.format.damaged)("its checksum is wrong"));
        }
        Ok(())
    }
}
