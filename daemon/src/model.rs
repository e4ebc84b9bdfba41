//! What the daemon knows about the machine, as plain data.
//!
//! The rooms that find things out (`devices`, `stores`, `stacks`, `engine`) write here through
//! [`Hub::update`]; `dbus` reads snapshots and shows them. Fields follow the bus properties one to
//! one. Nothing in here opens a file, speaks D-Bus or decides anything. No secret and no name of a
//! user's file may be put in: every local user can read it all.

use std::collections::BTreeMap;

mod hub;
mod id;

pub use hub::{Hub, Watcher};
pub use id::{DeviceId, IdError, SessionKey, StoreKey};
pub use wendy_dbus::words::{Problem, SessionState, State, StateReason as Reason, StoreKind};
pub use wendy_store::{Stack, UpperKind};

use wendy_store::GenerationRecord;

/// Everything the bus shows, jobs excepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// The running system.
    pub live: LiveState,
    /// Block devices that could carry a store, and the disks they are part of.
    pub devices: BTreeMap<DeviceId, Device>,
    /// Media with a store on them, foreign and locked ones included.
    pub stores: BTreeMap<StoreKey, Store>,
    /// Saved sessions of all stores.
    pub sessions: BTreeMap<SessionKey, Session>,
    /// What was saved since the system started, by the plain keys of the sessions; not shown as
    /// such.
    pub own_saves: BTreeMap<SessionKey, Vec<OwnSave>>,
}

/// The running system: which live stack it is and where its changes go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveState {
    /// The stack that booted this system; `None` when it is not a live system.
    pub stack: Option<Stack>,
    /// How that stack keeps changes.
    pub upper_kind: Option<UpperKind>,
    /// What happens to changes made now.
    pub condition: Condition,
    /// The session the system runs from, if wendy knows it; its store may be unplugged.
    pub running_session: Option<SessionKey>,
    /// What that session was called when it was last seen.
    pub running_name: String,
    /// Identity of the read-only layers, hex; empty when not live.
    pub base_image: String,
}

/// What happens to changes made now, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// What happens to them.
    pub state: State,
    /// Why; nothing when the state says it all.
    pub reason: Option<Reason>,
    /// The reason in a sentence, with what is known beyond it.
    pub message: String,
}

/// One completed save of a session, told from those that other computers have made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnSave {
    /// The number of its generation.
    pub generation: u32,
    /// When, seconds since 1970.
    pub saved: i64,
}

impl OwnSave {
    /// The save that made this generation.
    pub fn of(generation: &GenerationRecord) -> OwnSave {
        OwnSave {
            generation: generation.generation.number(),
            saved: generation.saved,
        }
    }
}

/// A block device: a whole disk or one of its partitions.
///
/// Its disk sequence number is part of its [`DeviceId`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The kernel's node, for people to read (`/dev/sda1`).
    pub node: String,
    /// The kernel's device number (`st_rdev`); not shown on the bus.
    pub devnum: u64,
    /// Vendor of the drive.
    pub vendor: String,
    /// Model of the drive.
    pub model: String,
    /// Serial number of the drive.
    pub serial: String,
    /// How the drive is attached: `usb`, `ata`, `nvme`, `mmc`, `virtual`, …
    pub bus: String,
    /// Size in bytes.
    pub size: u64,
    /// Meant to be unplugged: decided by the bus it hangs on, never by what the drive says alone.
    pub removable: bool,
    /// Write-protected.
    pub read_only: bool,
    /// Part of the installed computer, so that changing it asks for an administrator.
    pub system: bool,
    /// The running live system was started from it.
    pub boot_medium: bool,
    /// What holds it, in plain words; empty means free.
    pub in_use_by: Vec<String>,
    /// Filesystem or other signature found, as udev names it, or [`Device::AMBIVALENT`].
    pub filesystem_type: String,
    /// Label of that filesystem.
    pub label: String,
    /// UUID of that filesystem.
    pub uuid: String,
    /// The store on it.
    pub store: Option<StoreKey>,
    /// Somebody has looked for a store on it since it appeared.
    pub examined: bool,
    /// The disk this is a partition of.
    pub parent: Option<DeviceId>,
}

impl Device {
    /// The type where there are marks of several filesystems, as after an unfinished formatting:
    /// none of them is read, for it cannot be known which holds.
    pub const AMBIVALENT: &str = "ambivalent";
}

/// A medium with a store, or with something that another product left there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The name its owner gave it.
    pub name: String,
    /// The device it is on.
    pub device: DeviceId,
    /// How it lies on that device.
    pub kind: StoreKind,
    /// Encrypted and not unlocked.
    pub locked: bool,
    /// Whose medium this is in plain words, if not wendy's; empty for wendy's own.
    pub foreign: String,
    /// Type of the filesystem that holds the sessions.
    pub filesystem: String,
    /// Size in bytes of that filesystem.
    pub size: u64,
    /// Bytes free in it, when last looked at.
    pub free: u64,
    /// Sessions can be saved into it.
    pub writable: bool,
    /// Why not, or why not all of it can be seen; none when all is well.
    pub problem: Option<Problem>,
    /// The session a stock image starts from this medium.
    pub default_session: Option<SessionKey>,
}

/// One saved state of a live system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The name its owner gave it.
    pub name: String,
    /// The live stack it was saved from.
    pub stack: Stack,
    /// How that stack keeps changes.
    pub upper_kind: UpperKind,
    /// Identity of the image it belongs on, hex.
    pub base_image: String,
    /// The running system is of that same image.
    pub compatible: bool,
    /// When it was first saved, seconds since 1970.
    pub created: i64,
    /// When it was last saved, seconds since 1970.
    pub saved: i64,
    /// Which save this is, counted from 1; 0 if none was completed.
    pub generation: u32,
    /// Bytes of data in it.
    pub size: u64,
    /// Files in it.
    pub files: u64,
    /// Whether it can be started.
    pub state: SessionState,
    /// It holds what this very start of the system saved, and nobody has saved to it since.
    pub saved_from_this_start: bool,
    /// Release of the kernel it was last saved under; may be empty.
    pub kernel: String,
    /// What a stock image needs on its kernel command line to start it as its store's default.
    pub kernel_parameters: String,
    /// The store it is in.
    pub store: StoreKey,
}

impl World {
    /// The sessions of one store, in the order of their ids.
    pub fn sessions_of(&self, store: StoreKey) -> impl Iterator<Item = (SessionKey, &Session)> {
        let theirs = self
            .sessions
            .iter()
            .filter(move |(_, session)| session.store == store);
        theirs.map(|(key, session)| (*key, session))
    }
}
