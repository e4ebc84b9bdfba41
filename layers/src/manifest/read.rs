//! Reading a manifest that may be damaged or made to harm.

use std::ffi::CString;
use std::io::{self, BufReader, Read};

use xxhash_rust::xxh3::Xxh3Default;

use super::format::{DIRECTORY, END, MAGIC, NAME_MAX, OTHER};
use crate::{Error, Result};

/// One entry of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Number of the directory it is in; its own for the top.
    pub parent: u32,
    pub directory: bool,
    pub hash: u64,
    /// Empty for the top only.
    pub name: CString,
}

/// The records of a manifest, in the order they were written.
pub(crate) struct Reader<R> {
    from: BufReader<R>,
    sum: Xxh3Default,
    records: u64,
}

impl<R: Read> Reader<R> {
    /// Begins to read the manifest `from`.
    pub fn new(from: R) -> Result<Self> {
        let from = BufReader::with_capacity(1 << 16, from);
        let mut reader = Self {
            from,
            sum: Xxh3Default::new(),
            records: 0,
        };
        if &reader.take::<8>()? != MAGIC {
            return Err(damaged("it is of another version"));
        }
        Ok(reader)
    }

    /// The next record; none at the manifest's proper end.
    pub fn next(&mut self) -> Result<Option<Record>> {
        let [kind] = self.take()?;
        let record = match kind {
            DIRECTORY => self.record(true)?,
            OTHER => self.record(false)?,
            END => return self.end().map(|()| None),
            _ => return Err(damaged("it has a record of unknown kind")),
        };
        if record.name.is_empty() != (self.records == 0) {
            return Err(damaged("it does not begin with the top of the tree"));
        }
        self.records += 1;
        Ok(Some(record))
    }

    fn record(&mut self, directory: bool) -> Result<Record> {
        let parent = u32::from_le_bytes(self.take()?);
        let hash = u64::from_le_bytes(self.take()?);
        Ok(Record {
            parent,
            directory,
            hash,
            name: self.name()?,
        })
    }

    fn name(&mut self) -> Result<CString> {
        let [length] = self.take()?;
        let mut name = [0; NAME_MAX];
        let name = &mut name[..usize::from(length)];
        self.fill(name)?;
        if name.contains(&b'/') || name == b"." || name == b".." {
            return Err(damaged("it has a name that leaves its directory"));
        }
        CString::new(&*name).map_err(|_| damaged("it has a name with a zero byte"))
    }

    fn end(&mut self) -> Result<()> {
        let records = u64::from_le_bytes(self.take()?);
        let sum = self.sum.digest();
        if records != self.records || u64::from_le_bytes(self.take()?) != sum {
            return Err(damaged("its checksum is wrong"));
        }
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.from
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => damaged("it is incomplete"),
                _ => Error::Stream {
                    what: "manifest",
                    source: error,
                },
            })?;
        self.sum.update(bytes);
        Ok(())
    }
}

pub(crate) fn damaged(reason: &'static str) -> Error {
    Error::Manifest { reason }
}
