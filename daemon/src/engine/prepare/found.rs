//! What was found on a device: plain data, read by the decisions.

use serde::Serialize;
use wendy_sys::block::Identity;

use super::table::{Table, TableKind};

/// A device as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What people call it.
    pub device: String,
    /// Which medium it is.
    pub identity: Identity,
    /// Logical sector size in bytes.
    pub sector: u64,
    /// It refuses writes.
    pub read_only: bool,
    /// A whole disk or a partition of one.
    pub part: Part,
    /// What lies on the device itself, beside or instead of partitions; nothing on a blank one.
    pub content: Option<Content>,
    /// The first byte behind an image that was written to the start of the disk; 0 without one.
    pub image_end: u64,
    /// The first byte behind the partitions that the kernel knows, whatever the table says.
    pub known_end: u64,
    /// The room for an image file, if the device has a filesystem that was looked into.
    pub room: Option<Room>,
}

/// A whole disk or a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A disk.
    Disk {
        /// Its partition table.
        table: Option<Table>,
        /// What lies in its partitions.
        partitions: Vec<PartContent>,
    },
    /// A partition.
    Partition {
        /// Its number.
        number: u32,
        /// Where it starts on its disk, in bytes.
        start: u64,
        /// The kind of table it is listed in.
        table: TableKind,
    },
}

/// A partition of a disk and what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartContent {
    /// Its number.
    pub number: u32,
    /// Its name in the table.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// What lies in it.
    pub content: Option<Content>,
}

/// A recognised filesystem or other signature, or bytes that nobody recognises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Its size in bytes.
    pub size: u64,
    /// Its type; empty if it was not recognised.
    pub fs_type: String,
    /// Its label.
    pub label: String,
    /// Its UUID.
    pub uuid: String,
    /// Bytes in use, where that can be told without mounting.
    pub used: Option<u64>,
    /// The store in it and the sessions of that.
    pub known: Vec<Piece>,
}

/// Room for an image file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Type of the filesystem, as the kernel names it.
    pub fs_type: String,
    /// Bytes free.
    pub free: u64,
    /// Name the image file will have.
    pub image: &'static str,
    /// Size of the file that has this name now.
    pub old_image: Option<u64>,
}

/// A piece of a medium that is lost or made, in the words of the bus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// `partition-table`, `partition`, `filesystem`, `store`, `session`, `image` or `data`.
    pub kind: &'static str,
    /// Bytes it takes up.
    pub size: u64,
    /// Bytes in use within, where known.
    pub used: Option<u64>,
    /// Label of a filesystem or name of a partition.
    pub label: String,
    /// UUID of a filesystem.
    pub uuid: String,
    /// Type of a filesystem or table.
    pub filesystem: String,
    /// Name of a store, a session or an image file; number of a partition.
    pub name: String,
}

impl Found {
    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.identity.size
    }
}

impl Content {
    /// What would be lost with it.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        let kind = if self.fs_type.is_empty() {
            "data"
        } else {
            "filesystem"
        };
        let itself = Piece {
            kind,
            size: self.size,
            used: self.used,
            label: self.label.clone(),
            uuid: self.uuid.clone(),
            filesystem: self.fs_type.clone(),
            name: String::new(),
        };
        std::iter::once(itself).chain(self.known.iter().cloned())
    }
}
