//! The partition table of a disk, as `sfdisk --json` tells it, in bytes.

use serde::Deserialize;

use crate::engine::{Error, Result};

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its kind.
    pub kind: TableKind,
    /// Its partitions in the order of the table.
    pub entries: Vec<Entry>,
    /// End of what the table lets partitions use, in bytes. Behind it a GPT that was written with
    /// an image for a smaller disk keeps its second copy.
    pub last_usable: Option<u64>,
}

/// The kinds of table a partition can be added to, and all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableKind {
    /// GUID partition table.
    Gpt,
    /// The table of the PC, in the first sector.
    Dos,
    /// Something old or rare.
    Other(String),
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: u32,
    /// Where it starts, in bytes.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its name in a GPT.
    pub name: String,
}

impl Table {
    /// Reads what `sfdisk --json` printed about the disk called `disk`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it makes no sense.
    pub fn parse(json: &[u8], disk: &str) -> Result<Table> {
        let corrupt = |why: String| Error::Corrupt {
            what: format!("the partition table of {disk}"),
            why,
        };
        let document: Document =
            serde_json::from_slice(json).map_err(|error| corrupt(error.to_string()))?;
        Table::from_raw(document.table)
            .ok_or_else(|| corrupt("a partition lies outside of every disk".to_owned()))
    }

    /// The first byte behind everything the table knows of.
    pub fn end(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| entry.start + entry.size)
            .max()
            .unwrap_or(0)
    }

    /// Whether one of the four places in the table of a PC is free. Partitions within an extended
    /// one are counted from 5.
    pub fn has_slot(&self) -> bool {
        let taken = self.entries.iter().filter(|entry| entry.number <= 4);
        taken.count() < 4
    }

    fn from_raw(raw: RawTable) -> Option<Table> {
        let sector = raw.sector_size;
        let entries = raw
            .partitions
            .iter()
            .map(|partition| Entry::from_raw(partition, sector));
        let last_usable = match raw.last_lba {
            Some(lba) => Some(lba.checked_add(1)?.checked_mul(sector)?),
            None => None,
        };
        Some(Table {
            kind: TableKind::from_label(raw.label),
            entries: entries.collect::<Option<_>>()?,
            last_usable,
        })
    }
}

impl Entry {
    fn from_raw(raw: &RawPartition, sector: u64) -> Option<Entry> {
        let start = raw.start.checked_mul(sector)?;
        let size = raw.size.checked_mul(sector)?;
        start.checked_add(size)?;
        Some(Entry {
            number: raw.number()?,
            start,
            size,
            name: raw.name.clone(),
        })
    }
}

impl TableKind {
    /// The word that sfdisk uses.
    pub fn as_str(&self) -> &str {
        match self {
            TableKind::Gpt => "gpt",
            TableKind::Dos => "dos",
            TableKind::Other(label) => label,
        }
    }

    fn from_label(label: String) -> TableKind {
        match label.as_str() {
            "gpt" => TableKind::Gpt,
            "dos" => TableKind::Dos,
            _ => TableKind::Other(label),
        }
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "partitiontable")]
    table: RawTable,
}

#[derive(Deserialize)]
struct RawTable {
    label: String,
    #[serde(rename = "lastlba")]
    last_lba: Option<u64>,
    #[serde(rename = "sectorsize", default = "usual_sector")]
    sector_size: u64,
    #[serde(default)]
    partitions: Vec<RawPartition>,
}

#[derive(Deserialize)]
struct RawPartition {
    node: String,
    start: u64,
    size: u64,
    #[serde(default)]
    name: String,
}

impl RawPartition {
    /// The digits at the end of the made-up node name; sfdisk puts a `p` before them when the name
    /// of the disk itself ends with a digit, as that of a held descriptor does.
    fn number(&self) -> Option<u32> {
        let digits = self.node.rsplit(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    }
}

fn usual_sector() -> u64 {
    512
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = r#"{"partitiontable": {"label": "dos", "id": "0x7d0e2f4b", "device": "/proc/self/fd/9",
        "unit": "sectors", "sectorsize": 512, "partitions": [
        {"node": "/proc/self/fd/9p1", "start": 0, "size": 16384, "type": "0", "bootable": true},
        {"node": "/proc/self/fd/9p2", "start": 6280, "size": 8192, "type": "ef"}]}}"#;

    #[test]
    fn a_hybrid_image_is_read() {
        let table = Table::parse(HYBRID.as_bytes(), "stick").unwrap();
        assert_eq!(table.kind, TableKind::Dos);
        let efi = Entry {
            number: 2,
            start: 6280 * 512,
            size: 8192 * 512,
            name: String::new(),
        };
        assert_eq!(table.entries[1], efi);
        assert_eq!(table.end(), 16384 * 512);
    }

    #[test]
    fn an_empty_table_is_read() {
        let json = r#"{"partitiontable": {"label": "gpt", "sectorsize": 4096, "lastlba": 9}}"#;
        let table = Table::parse(json.as_bytes(), "stick").unwrap();
        assert_eq!(
            (table.kind.clone(), table.end(), table.last_usable),
            (TableKind::Gpt, 0, Some(40960))
        );
    }

    #[test]
    fn what_fits_on_no_disk_is_refused() {
        for json in [
            HYBRID.replace("6280", "18446744073709551615"),
            HYBRID.replace("8192", "36028797018963967"),
            HYBRID.replace("9p2", "9p"),
            "{".to_owned(),
        ] {
            assert!(
                matches!(
                    Table::parse(json.as_bytes(), "stick"),
                    Err(Error::Corrupt { .. })
                ),
                "{json}"
            );
        }
    }
}
