//! Enumerated strings of the contract.
//!
//! They travel as strings, so that a newer daemon can say something new to an older client. The
//! daemon writes them through these types; a client parses them and must be ready for `None`.

/// An enumeration that travels as a word.
pub trait Word: Copy + PartialEq + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The word on the wire.
    fn word(self) -> &'static str {
        let entry = Self::WORDS.iter().find(|(value, _)| *value == self);
        entry.expect("every value is listed with its word").1
    }

    /// The value of a word, `None` for one that this version does not know.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(value, _)| *value)
    }
}

/// What becomes of the changes to the running system (`org.ubuntu.Wendy.State`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// In memory only, lost at shutdown.
    Volatile,
    /// Written to a store as they happen.
    Persistent,
    /// Nothing can be changed.
    ReadOnly,
    /// No room for more changes.
    Full,
    /// The layer of changes does not work any more.
    Failed,
    /// Not a live system.
    #[default]
    NotLive,
}

impl Word for State {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Volatile, "volatile"),
        (Self::Persistent, "persistent"),
        (Self::ReadOnly, "read-only"),
        (Self::Full, "full"),
        (Self::Failed, "failed"),
        (Self::NotLive, "not-live"),
    ];
}

/// Why changes meet with their [`State`] (`org.ubuntu.Wendy.StateReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateReason {
    /// The boot line asks to keep changes, but no medium for them was found.
    NoMedium,
    /// It is not known where they are kept.
    UnknownPlace,
    /// Their filesystem takes no more writes.
    ReadOnlyFilesystem,
    /// Their filesystem is full.
    NoRoom,
    /// Their medium was unplugged.
    MediumGone,
    /// They cannot be reached.
    Unreachable,
    /// No live system was recognised.
    NotRecognised,
}

impl Word for StateReason {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::NoMedium, "no-medium"),
        (Self::UnknownPlace, "unknown-place"),
        (Self::ReadOnlyFilesystem, "read-only-filesystem"),
        (Self::NoRoom, "no-room"),
        (Self::MediumGone, "medium-gone"),
        (Self::Unreachable, "unreachable"),
        (Self::NotRecognised, "not-recognised"),
    ];
}

/// How a device is prepared (option `mode` of `PrepareDevice`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The whole device is made anew.
    #[default]
    Device,
    /// An existing partition is made anew.
    Partition,
    /// A partition is added behind what is there.
    FreeSpace,
    /// A file is made on the filesystem that is there.
    Loopback,
}

impl Word for Mode {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Device, "device"),
        (Self::Partition, "partition"),
        (Self::FreeSpace, "free-space"),
        (Self::Loopback, "loopback"),
    ];
}

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

/// What is wrong with a store (`Store.Problem`); nothing wrong is the empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The medium is write-protected.
    ReadOnly,
    /// Made by a newer version of wendy.
    NewerFormat,
    /// Its record cannot be understood.
    Corrupt,
    /// Its filesystem needs a check.
    Dirty,
    /// It cannot be read.
    Unreadable,
}

impl Word for Problem {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::ReadOnly, "read-only"),
        (Self::NewerFormat, "newer-format"),
        (Self::Corrupt, "corrupt"),
        (Self::Dirty, "dirty"),
        (Self::Unreadable, "unreadable"),
    ];
}

/// State of a saved session (`Session.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// It has a good generation.
    Complete,
    /// Its first save never finished.
    Incomplete,
    /// The running system was booted from it.
    Running,
}

impl Word for SessionState {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Complete, "complete"),
        (Self::Incomplete, "incomplete"),
        (Self::Running, "running"),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<W: Word + std::fmt::Debug>() {
        for (value, word) in W::WORDS {
            assert_eq!(value.word(), *word);
            assert_eq!(W::from_word(word), Some(*value));
        }
        assert_eq!(W::from_word("something new"), None);
    }

    #[test]
    fn words_and_values_belong_together() {
        round_trip::<State>();
        round_trip::<Mode>();
        round_trip::<JobState>();
        round_trip::<Operation>();
        round_trip::<Phase>();
        round_trip::<Problem>();
        round_trip::<SessionState>();
    }

    #[test]
    fn every_word_is_documented_in_the_contract() {
        let contract: String = crate::INTERFACES.iter().map(|(_, xml)| *xml).collect();
        let words = [State::WORDS.iter().map(|w| w.1).collect::<Vec<_>>()]
            .into_iter()
            .chain([
                Mode::WORDS.iter().map(|w| w.1).collect(),
                JobState::WORDS.iter().map(|w| w.1).collect(),
                Operation::WORDS.iter().map(|w| w.1).collect(),
                Phase::WORDS.iter().map(|w| w.1).collect(),
                Problem::WORDS.iter().map(|w| w.1).collect(),
                SessionState::WORDS.iter().map(|w| w.1).collect(),
            ])
            .flatten();
        for word in words {
            assert!(contract.contains(&format!("\"{word}\"")), "{word}");
        }
    }
}
