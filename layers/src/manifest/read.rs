//! Reading a manifest that may be damaged or made to harm.

use std::ffi::CString;
use std::io::Read;

use super::format::{DIRECTORY, END, FORMAT, NAME_MAX, OTHER, damaged};
use crate::{Result, summed};

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
    from: summed::Reader<R>,
    records: u64,
}

impl<R: Read> Reader<R> {
    /// Begins to read the manifest `from`.
    pub fn new(from: R) -> Result<Self> {
        Ok(Self {
            from: summed::Reader::new(&FORMAT, from)?,
            records: 0,
        })
    }

    /// The next record; none at the manifest's proper end.
    pub fn next(&mut self) -> Result<Option<Record>> {
        let [kind] = self.from.take()?;
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
        let parent = u32::from_le_bytes(self.from.take()?);
        let hash = u64::from_le_bytes(self.from.take()?);
        Ok(Record {
            parent,
            directory,
            hash,
            name: self.name()?,
        })
    }

    fn name(&mut self) -> Result<CString> {
        let [length] = self.from.take()?;
        let mut name = [0; NAME_MAX];
        let name = &mut name[..usize::from(length)];
        self.from.fill(name)?;
        if name.contains(&b'/') || name == b"." || name == b".." {
            return Err(damaged("it has a name that leaves its directory"));
        }
        CString::new(&*name).map_err(|_| damaged("it has a name with a zero byte"))
    }

    fn end(&mut self) -> Result<()> {
        if u64::from_le_bytes(self.from.take()?) != self.records {
            return Err(damaged("its checksum is wrong"));
        }
        self.from.finish()
    }
}
