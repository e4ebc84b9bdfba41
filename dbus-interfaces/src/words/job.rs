//! Words about jobs.

use super::Word;

/// State of a job (`Job.State`); the last three are also the results of `Job.Finished`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Not begun.
    Queued,
    /// Waiting for something outside.
    Waiting,
    /// At work.
    Running,
    /// Ended well.
    Done,
    /// Ended with an error.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

impl JobState {
    /// Whether the job is over.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl Word for JobState {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Queued, "queued"),
        (Self::Waiting, "waiting"),
        (Self::Running, "running"),
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Cancelled, "cancelled"),
    ];
}

/// What a job is for (`Job.Operation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `PrepareDevice`.
    PrepareDevice,
    /// `SaveSession`.
    SaveSession,
    /// `Session.Delete`.
    DeleteSession,
    /// `Store.Check`.
    CheckStore,
    /// `SwitchUpperLayer`.
    SwitchUpperLayer,
    /// `Snapshot`.
    Snapshot,
    /// `Store.Resize`.
    ResizeStore,
}

impl Word for Operation {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::PrepareDevice, "prepare-device"),
        (Self::SaveSession, "save-session"),
        (Self::DeleteSession, "delete-session"),
        (Self::CheckStore, "check-store"),
        (Self::SwitchUpperLayer, "switch-upper-layer"),
        (Self::Snapshot, "snapshot"),
        (Self::ResizeStore, "resize-store"),
    ];
}

/// What a job does now (`Job.Phase`); no phase is the empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Looking at the device or store again before anything is written.
    Inspecting,
    /// Removing signatures.
    Wiping,
    /// Writing a partition table.
    Partitioning,
    /// Reserving room for an image file.
    Allocating,
    /// Making a filesystem.
    Formatting,
    /// Mounting.
    Mounting,
    /// Walking the tree to see how much there is.
    Measuring,
    /// Copying.
    Copying,
    /// Copying again what changed meanwhile.
    SecondPass,
    /// Deleting.
    Removing,
    /// Reading back and comparing.
    Comparing,
    /// Waiting until everything is on the medium.
    Syncing,
    /// Making the new state the valid one.
    Committing,
    /// Waiting for the system to notice what is new on the device.
    Settling,
    /// Going back to the state before.
    RollingBack,
}

impl Word for Phase {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Inspecting, "inspecting"),
        (Self::Wiping, "wiping"),
        (Self::Partitioning, "partitioning"),
        (Self::Allocating, "allocating"),
        (Self::Formatting, "formatting"),
        (Self::Mounting, "mounting"),
        (Self::Measuring, "measuring"),
        (Self::Copying, "copying"),
        (Self::SecondPass, "second-pass"),
        (Self::Removing, "removing"),
        (Self::Comparing, "comparing"),
        (Self::Syncing, "syncing"),
        (Self::Committing, "committing"),
        (Self::Settling, "settling"),
        (Self::RollingBack, "rolling-back"),
    ];
}
