//! What came out of a job: the facts of `Job.Finished`.

use zbus::wire::{DeserializeDict, SerializeDict};
use zbus::{OwnedObjectPath, Type};

/// Facts of any finished job; which are there depends on its operation, see the contract.
#[derive(Clone, Debug, Default, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case")]
pub struct Facts {
    /// The store that was made or written to.
    pub store: Option<OwnedObjectPath>,
    /// The session that was saved.
    pub session: Option<OwnedObjectPath>,
    /// Its generation.
    pub generation: Option<u32>,
    /// Entries of the session, or entries that were checked.
    pub entries: Option<u64>,
    /// Bytes of the session, or bytes that were checked.
    pub bytes: Option<u64>,
    /// Bytes this save wrote.
    pub written_bytes: Option<u64>,
    /// Entries this save wrote.
    pub changed_entries: Option<u64>,
    /// Files that changed while they were copied for the second time.
    pub still_changing: Option<u64>,
    /// The session is what a stock image boots.
    pub default: Option<bool>,
    /// What a stock image needs on its kernel command line.
    pub kernel_parameters: Option<String>,
    /// Words of caution; see the contract.
    pub warnings: Option<Vec<String>>,
    /// Entries that differ from what was written.
    pub damaged: Option<u64>,
    /// What was found per session.
    pub sessions: Option<Vec<CheckedSession>>,
}

/// What `Store.Check` found in one session.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case")]
pub struct CheckedSession {
    /// The session object.
    pub session: OwnedObjectPath,
    /// What it is, a word of [`crate::words::Verdict`].
    pub state: String,
    /// Entries that differ from what was written.
    pub damaged: u64,
}
