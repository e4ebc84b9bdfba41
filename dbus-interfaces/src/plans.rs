//! What `PlanPrepare` and `PlanSave` answer.
//!
//! Keys that a reader does not know are skipped: a newer daemon may say more.

use zbus::wire::{DeserializeDict, SerializeDict};
use zbus::{OwnedObjectPath, Type};

/// What `PrepareDevice` would do to a device.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case")]
pub struct PreparePlan {
    /// The device object.
    pub device: OwnedObjectPath,
    /// A word of [`crate::words::Mode`].
    pub mode: String,
    /// Name of the new store.
    pub name: String,
    /// Filesystem of the new store.
    pub filesystem: String,
    /// Bytes of the new store.
    pub size: u64,
    /// Something would be lost, so that a token is needed.
    pub destroys: bool,
    /// What would be lost, in the order of the medium.
    pub lost: Vec<Piece>,
    /// What would stay, with something added to it.
    pub changed: Vec<Piece>,
    /// What would be there instead.
    pub made: Vec<Piece>,
    /// Words of caution; see the contract.
    pub warnings: Vec<String>,
}

/// A piece of a medium that would be lost or made.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case")]
pub struct Piece {
    /// `partition-table`, `partition`, `filesystem`, `store`, `session`, `image` or `data`.
    pub kind: String,
    /// Bytes it takes up.
    pub size: u64,
    /// Bytes in use within, where known.
    pub used: Option<u64>,
    /// Node of a partition, for people.
    pub device_node: Option<String>,
    /// Label of a filesystem or partition.
    pub label: Option<String>,
    /// UUID of a filesystem or partition.
    pub uuid: Option<String>,
    /// Type of a filesystem.
    pub filesystem: Option<String>,
    /// Name of a store or session.
    pub name: Option<String>,
}

/// What `SaveSession` would write.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case")]
pub struct SavePlan {
    /// The session that would be updated, `/` for a new one.
    pub session: OwnedObjectPath,
    /// Name the session would have.
    pub name: String,
    /// It would be what a stock image boots.
    pub default: bool,
    /// All patterns that would be left out.
    pub exclude: Vec<String>,
    /// Entries of the whole session.
    pub entries: u64,
    /// Bytes of the whole session.
    pub bytes: u64,
    /// Entries to be written now.
    pub changed_entries: u64,
    /// Bytes to be written now.
    pub changed_bytes: u64,
    /// Entries that would not be there any more.
    pub removed_entries: u64,
    /// Bytes needed on the store.
    pub space: u64,
    /// Bytes free there now.
    pub free: u64,
    /// There is room.
    pub fits: bool,
    /// There is only room in the place of the last save.
    pub fits_overwriting: Option<bool>,
    /// Expected time in seconds, where it can be told.
    pub seconds: Option<u64>,
}
