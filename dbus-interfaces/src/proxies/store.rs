//! `org.ubuntu.Wendy.Store`.

use zbus::{Fd, ObjectPath, OwnedObjectPath, proxy};

use crate::Result;
use crate::options::{CheckOptions, NoOptions};

/// A medium that carries saved sessions.
#[proxy(
    interface = "org.ubuntu.Wendy.Store",
    default_service = "org.ubuntu.Wendy",
    assume_defaults = false
)]
pub trait Store {
    /// Makes a session the one that a stock image boots from here.
    #[zbus(allow_interactive_auth)]
    fn set_default(&self, session: &ObjectPath<'_>) -> Result<()>;

    /// Gives the store another name.
    #[zbus(allow_interactive_auth)]
    fn rename(&self, name: &str) -> Result<()>;

    /// Opens an encrypted store with the passphrase read from a pipe or memfd.
    #[zbus(allow_interactive_auth)]
    fn unlock(&self, passphrase: Fd<'_>, options: &NoOptions) -> Result<()>;

    /// Closes an encrypted store.
    #[zbus(allow_interactive_auth)]
    fn lock(&self) -> Result<()>;

    /// Reads everything back and compares it with what was written.
    #[zbus(allow_interactive_auth)]
    fn check(&self, options: &CheckOptions) -> Result<OwnedObjectPath>;

    /// Makes the store larger or smaller.
    #[zbus(allow_interactive_auth)]
    fn resize(&self, size: u64, options: &NoOptions) -> Result<OwnedObjectPath>;

    /// Name a person gave it.
    #[zbus(property)]
    fn name(&self) -> zbus::Result<String>;

    /// The device object it is on.
    #[zbus(property)]
    fn device(&self) -> zbus::Result<OwnedObjectPath>;

    /// How it lies on its device, a word of [`crate::words::StoreKind`].
    #[zbus(property)]
    fn kind(&self) -> zbus::Result<String>;

    /// Encrypted and not unlocked.
    #[zbus(property)]
    fn locked(&self) -> zbus::Result<bool>;

    /// "" for a store of ours, else a plain description of what it is, as in "casper persistence (casper-rw)".
    #[zbus(property)]
    fn foreign(&self) -> zbus::Result<String>;

    /// Type of the filesystem that holds the sessions, as in "ext4".
    #[zbus(property)]
    fn filesystem(&self) -> zbus::Result<String>;

    /// Bytes in all.
    #[zbus(property)]
    fn size(&self) -> zbus::Result<u64>;

    /// Bytes that can still be written; as of the last look at the medium.
    #[zbus(property)]
    fn free(&self) -> zbus::Result<u64>;

    /// Sessions can be saved here.
    #[zbus(property)]
    fn writable(&self) -> zbus::Result<bool>;

    /// Why it is not writable, or not all of it can be seen, a word of [`crate::words::Problem`], or
    /// nothing.
    #[zbus(property)]
    fn problem(&self) -> zbus::Result<String>;

    /// The session a stock image boots from here, or "/".
    #[zbus(property)]
    fn default_session(&self) -> zbus::Result<OwnedObjectPath>;

    /// All sessions here, oldest first.
    #[zbus(property)]
    fn sessions(&self) -> zbus::Result<Vec<OwnedObjectPath>>;
}
