//! A job as others see it: plain data, in the words of the bus.

use std::fmt;

use super::Outcome;
use crate::model::{DeviceId, SessionKey, StoreKey};

pub use wendy_dbus::words::{JobState, Operation, Phase};

/// Number of a job, never used twice while the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An object a job works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectId {
    /// A disk or partition.
    Device(DeviceId),
    /// A store.
    Store(StoreKey),
    /// A session.
    Session(SessionKey),
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectId::Device(id) => write!(f, "device {id}"),
            ObjectId::Store(key) => write!(f, "store {key}"),
            ObjectId::Session(key) => write!(f, "session {key}"),
        }
    }
}

/// A job as it was at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// Its number.
    pub id: JobId,
    /// What it does.
    pub operation: Operation,
    /// The user it works for.
    pub uid: u32,
    /// What it works on.
    pub objects: Vec<ObjectId>,
    /// How far it has come.
    pub state: JobState,
    /// The step it is at; none before it has begun and after it is over.
    pub phase: Option<Phase>,
    /// Bytes handled in this phase.
    pub bytes_done: u64,
    /// Bytes to handle in this phase; 0 if not known.
    pub bytes_total: u64,
    /// Files and other entries handled in this phase.
    pub entries_done: u64,
    /// Entries to handle in this phase; 0 if not known.
    pub entries_total: u64,
    /// Bytes per second in this phase so far.
    pub rate: u64,
    /// When it started, seconds since 1970.
    pub started: i64,
    /// When this phase will be over at the present rate, seconds since 1970; 0 if not known.
    pub expected_end: i64,
    /// It can be stopped.
    pub cancelable: bool,
    /// What was there before is being replaced: too late to stop.
    pub point_of_no_return: bool,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
}

impl JobView {
    /// Share of this phase that is done, 0 to 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share needs no more than 53 bits"
    )]
    pub fn progress(&self) -> f64 {
        match (self.state, self.bytes_total) {
            (JobState::Done, _) => 1.0,
            (_, 0) => 0.0,
            (_, total) => (self.bytes_done as f64 / total as f64).min(1.0),
        }
    }
}
