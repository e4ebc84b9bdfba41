//! The polkit actions of wendy, split by what a yes can bring about.

use std::fmt;

/// One polkit action; `polkit/org.ubuntu.wendy.policy` declares the same list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make a store on a removable device.
    PrepareDevice,
    /// Make a store on any other device.
    PrepareDeviceSystem,
    /// Create or update a session.
    SaveSession,
    /// Let the running root go on in a session: whoever wrote that becomes root.
    SwitchUpperLayer,
    /// Write an image of the system into a store.
    Snapshot,
    /// Hand an image of the system, which holds every file of it, to the caller.
    SnapshotExport,
    /// Rename, delete, check or resize what is on a store.
    ManageStore,
    /// Open an encrypted store.
    UnlockStore,
    /// Act on what another user started.
    ManageOthers,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 9] = [
        Action::PrepareDevice,
        Action::PrepareDeviceSystem,
        Action::SaveSession,
        Action::SwitchUpperLayer,
        Action::Snapshot,
        Action::SnapshotExport,
        Action::ManageStore,
        Action::UnlockStore,
        Action::ManageOthers,
    ];

    /// The name polkit knows it by.
    pub fn id(self) -> &'static str {
        match self {
            Action::PrepareDevice => "org.ubuntu.wendy.prepare-device",
            Action::PrepareDeviceSystem => "org.ubuntu.wendy.prepare-device-system",
            Action::SaveSession => "org.ubuntu.wendy.save-session",
            Action::SwitchUpperLayer => "org.ubuntu.wendy.switch-upper-layer",
            Action::Snapshot => "org.ubuntu.wendy.snapshot",
            Action::SnapshotExport => "org.ubuntu.wendy.snapshot-export",
            Action::ManageStore => "org.ubuntu.wendy.manage-store",
            Action::UnlockStore => "org.ubuntu.wendy.unlock-store",
            Action::ManageOthers => "org.ubuntu.wendy.manage-others",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
