//! All properties of an object at once, as `GetAll` and `GetManagedObjects` answer them.
//!
//! A whole consistent picture costs one call; a proxy per object is for those who follow changes.

use serde::de::DeserializeOwned;
use zbus::wire::{DeserializeDict, SerializeDict};
use zbus::{OwnedObjectPath, Type};

use crate::Dict;
use crate::facts::Facts;

/// Reads the properties of an object. Properties that this version does not know are skipped.
///
/// # Errors
///
/// When one is missing or of another type than the contract says.
pub fn parse<T: DeserializeOwned + Type>(properties: &Dict) -> zbus::Result<T> {
    crate::read(properties)
}

/// The running system: the properties of `org.ubuntu.Wendy`.
#[derive(Clone, Debug, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "PascalCase")]
pub struct System {
    /// Version of the daemon.
    pub version: String,
    /// What this daemon can do.
    pub capabilities: Vec<String>,
    /// Who set up this live system.
    pub live_stack: String,
    /// How changes are kept apart from the image.
    pub upper_kind: String,
    /// What will become of the changes, a word of [`crate::words::State`].
    pub state: String,
    /// Why, a word of [`crate::words::StateReason`], or nothing.
    pub state_reason: String,
    /// One sentence about the state, or nothing.
    pub state_message: String,
    /// The session this system was booted from, or `/`.
    pub running_session: OwnedObjectPath,
    /// Name of that session, also while its store is not plugged in.
    pub running_session_name: String,
    /// Identity of the read-only image below the changes.
    pub base_image: String,
    /// Bytes the changes take up now.
    pub upper_used: u64,
    /// Bytes the changes may take up in all, 0 when unknown.
    pub upper_size: u64,
}

/// A disk or partition: the properties of `org.ubuntu.Wendy.Device`.
#[derive(Clone, Debug, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "PascalCase")]
pub struct Device {
    /// Where it is now, as in "/dev/sda1".
    pub device_node: String,
    /// Sequence number of the whole disk.
    pub disk_seq: u64,
    /// Vendor of the drive, as it says itself; may be "".
    pub vendor: String,
    /// Model of the drive, as it says itself; may be "".
    pub model: String,
    /// Serial number of the drive, as it says itself; may be "".
    pub serial: String,
    /// How the drive is attached.
    pub bus: String,
    /// Bytes; 0 for a drive without a medium.
    pub size: u64,
    /// People carry it about.
    pub removable: bool,
    /// The medium is write-protected.
    pub read_only: bool,
    /// Built in, or part of the running system; never offer it without a warning.
    pub system: bool,
    /// The running system was booted from this disk.
    pub boot_medium: bool,
    /// It cannot be prepared now, InUseBy says why.
    pub in_use: bool,
    /// Who uses it, each in a few plain English words, as in "sda1 is mounted at /media/stick".
    pub in_use_by: Vec<String>,
    /// What is on it, as udev says.
    pub filesystem_type: String,
    /// Label of the filesystem, or "".
    pub label: String,
    /// UUID of the filesystem, or "".
    pub uuid: String,
    /// The store object on this device, or "/".
    pub store: OwnedObjectPath,
    /// Whether somebody has looked for a store on it.
    pub examined: bool,
    /// The disk object of a partition; "/" for a whole disk.
    pub parent: OwnedObjectPath,
}

/// A medium that carries saved sessions: the properties of `org.ubuntu.Wendy.Store`.
#[derive(Clone, Debug, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "PascalCase")]
pub struct Store {
    /// Name a person gave it.
    pub name: String,
    /// The device object it is on.
    pub device: OwnedObjectPath,
    /// How it lies on its device, a word of [`crate::words::StoreKind`].
    pub kind: String,
    /// Encrypted and not unlocked.
    pub locked: bool,
    /// "" for a store of ours, else a plain description of what it is, as in "casper persistence (casper-rw)".
    pub foreign: String,
    /// Type of the filesystem that holds the sessions, as in "ext4".
    pub filesystem: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes that can still be written; as of the last look at the medium.
    pub free: u64,
    /// Sessions can be saved here.
    pub writable: bool,
    /// Why it is not writable, or not all of it can be seen, a word of [`crate::words::Problem`], or
    /// nothing.
    pub problem: String,
    /// The session a stock image boots from here, or "/".
    pub default_session: OwnedObjectPath,
    /// All sessions here, oldest first.
    pub sessions: Vec<OwnedObjectPath>,
}

/// One saved system state: the properties of `org.ubuntu.Wendy.Session`.
#[derive(Clone, Debug, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "PascalCase")]
pub struct Session {
    /// Name a person gave it.
    pub name: String,
    /// The live stack it was saved on.
    pub stack: String,
    /// "overlayfs" or "dm-snapshot".
    pub upper_kind: String,
    /// Identity of the image it was saved on, 64 hexadecimal digits.
    pub base_image: String,
    /// It fits the running image.
    pub compatible: bool,
    /// When it was first saved, in seconds since 1970.
    pub created: i64,
    /// When its present generation was saved, in seconds since 1970; 0 for never completed.
    pub saved: i64,
    /// Counts the saves; 0 for never completed.
    pub generation: u32,
    /// Bytes of its present generation.
    pub size: u64,
    /// Regular files of its present generation.
    pub files: u64,
    /// Whether it can be started, a word of [`crate::words::SessionState`].
    pub state: String,
    /// This very start of the system saved what it holds, and nobody has saved to it since.
    pub saved_from_this_start: bool,
    /// Release of the kernel it was saved under, as in "6.12.48+deb13-amd64"; may be "".
    pub kernel: String,
    /// What a stock image of its stack needs on its kernel command line to boot it while it is its store's default, as in "persistence".
    pub kernel_parameters: String,
    /// The store object it is on.
    pub store: OwnedObjectPath,
}

/// One long operation: the properties of `org.ubuntu.Wendy.Job`.
#[derive(Clone, Debug, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "PascalCase")]
pub struct Job {
    /// What it is for, a word of [`crate::words::Operation`].
    pub operation: String,
    /// How far it is, a word of [`crate::words::JobState`].
    pub state: String,
    /// What it does now, a word of [`crate::words::Phase`] or nothing.
    pub phase: String,
    /// How much of the present phase is done, from 0 to 1.
    pub progress: f64,
    /// Bytes dealt with in this phase.
    pub bytes_done: u64,
    /// Bytes to deal with, 0 while not known.
    pub bytes_total: u64,
    /// Files, directories and other entries dealt with.
    pub entries_done: u64,
    /// Entries to deal with, 0 while not known.
    pub entries_total: u64,
    /// Bytes per second, averaged over the last seconds; 0 while not known.
    pub rate: u64,
    /// When, in seconds since 1970.
    pub started: i64,
    /// When, in seconds since 1970; 0 while not known.
    pub expected_end: i64,
    /// The devices, stores and sessions it works on.
    pub objects: Vec<OwnedObjectPath>,
    /// User who started it.
    pub started_by_uid: u32,
    /// Cancel() works now.
    pub cancelable: bool,
    /// What was there before cannot be had back any more.
    pub point_of_no_return: bool,
    /// Processes it waits for, each with process id, command and what is held.
    pub blockers: Vec<(u32, String, String)>,
    /// The error of Finished, for those who come later; "" until then.
    pub error: String,
    /// The message of Finished, for those who come later; "" until then.
    pub message: String,
    /// The facts of Finished, for those who come later; empty until then.
    pub facts: Facts,
}
