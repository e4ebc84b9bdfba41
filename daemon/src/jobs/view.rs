//! A job as others see it: plain data, in the words of the bus.

use std::fmt;

use super::Outcome;
use crate::model::{DeviceId, SessionKey, StoreKey};

/// Number of a job, never used twice while the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A device becomes a store.
    PrepareDevice,
    /// The running session is saved.
    SaveSession,
    /// A session is removed.
    DeleteSession,
    /// A store is read and compared with its records.
    CheckStore,
}

impl Operation {
    /// The word used on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::PrepareDevice => "prepare-device",
            Operation::SaveSession => "save-session",
            Operation::DeleteSession => "delete-session",
            Operation::CheckStore => "check-store",
        }
    }
}

/// The step a job is at. Clients translate the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Looking at the device, the store or the upper layer again.
    Inspecting,
    /// Removing old signatures.
    Wiping,
    /// Writing a partition table.
    Partitioning,
    /// Reserving room for an image file.
    Allocating,
    /// Making a filesystem.
    Formatting,
    /// Reaching the filesystem.
    Mounting,
    /// Counting what there is to copy.
    Measuring,
    /// Copying files.
    Copying,
    /// Copying again what changed meanwhile.
    SecondPass,
    /// Removing files.
    Removing,
    /// Reading back and comparing.
    Comparing,
    /// Waiting until the medium has everything.
    Syncing,
    /// Making the new state the valid one.
    Committing,
    /// Waiting until the rest of the system has seen the change.
    Settling,
    /// Undoing what was begun.
    RollingBack,
    /// None: not begun, or over.
    None,
}

impl Phase {
    /// The word used on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Inspecting => "inspecting",
            Phase::Wiping => "wiping",
            Phase::Partitioning => "partitioning",
            Phase::Allocating => "allocating",
            Phase::Formatting => "formatting",
            Phase::Mounting => "mounting",
            Phase::Measuring => "measuring",
            Phase::Copying => "copying",
            Phase::SecondPass => "second-pass",
            Phase::Removing => "removing",
            Phase::Comparing => "comparing",
            Phase::Syncing => "syncing",
            Phase::Committing => "committing",
            Phase::Settling => "settling",
            Phase::RollingBack => "rolling-back",
            Phase::None => "",
        }
    }
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Its thread has not begun.
    Queued,
    /// It waits for something outside, see its blockers.
    Waiting,
    /// At work.
    Running,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
    /// Stopped on request.
    Cancelled,
}

impl JobState {
    /// The word used on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Queued => "queued",
            JobState::Waiting => "waiting",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
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

/// A process that keeps a job from going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Its process id.
    pub pid: u32,
    /// Its command name.
    pub command: String,
    /// What it holds.
    pub reason: String,
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
    /// The step it is at.
    pub phase: Phase,
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
    /// Who keeps it from going on.
    pub blockers: Vec<Blocker>,
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
