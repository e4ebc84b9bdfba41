//! `org.ubuntu.Wendy.Session`.

use zbus::{OwnedObjectPath, proxy};

use crate::Result;
use crate::options::NoOptions;

/// One saved system state.
#[proxy(
    interface = "org.ubuntu.Wendy.Session",
    default_service = "org.ubuntu.Wendy",
    assume_defaults = false
)]
pub trait Session {
    /// Gives the session another name.
    #[zbus(allow_interactive_auth)]
    fn rename(&self, name: &str) -> Result<()>;

    /// Removes the session.
    #[zbus(allow_interactive_auth)]
    fn delete(&self, options: &NoOptions) -> Result<OwnedObjectPath>;

    /// Name a person gave it.
    #[zbus(property)]
    fn name(&self) -> zbus::Result<String>;

    /// The live stack it was saved on.
    #[zbus(property)]
    fn stack(&self) -> zbus::Result<String>;

    /// "overlayfs" or "dm-snapshot".
    #[zbus(property)]
    fn upper_kind(&self) -> zbus::Result<String>;

    /// Identity of the image it was saved on, 64 hexadecimal digits.
    #[zbus(property)]
    fn base_image(&self) -> zbus::Result<String>;

    /// It fits the running image.
    #[zbus(property)]
    fn compatible(&self) -> zbus::Result<bool>;

    /// When it was first saved, in seconds since 1970.
    #[zbus(property)]
    fn created(&self) -> zbus::Result<i64>;

    /// When its present generation was saved, in seconds since 1970; 0 for never completed.
    #[zbus(property)]
    fn saved(&self) -> zbus::Result<i64>;

    /// Counts the saves; 0 for never completed.
    #[zbus(property)]
    fn generation(&self) -> zbus::Result<u32>;

    /// Bytes of its present generation.
    #[zbus(property)]
    fn size(&self) -> zbus::Result<u64>;

    /// Regular files of its present generation.
    #[zbus(property)]
    fn files(&self) -> zbus::Result<u64>;

    /// Whether it can be started, a word of [`crate::words::SessionState`].
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;

    /// This very start of the system saved what it holds, and nobody has saved to it since.
    #[zbus(property)]
    fn saved_from_this_start(&self) -> zbus::Result<bool>;

    /// Release of the kernel it was saved under, as in "6.12.48+deb13-amd64"; may be "".
    #[zbus(property)]
    fn kernel(&self) -> zbus::Result<String>;

    /// What a stock image of its stack needs on its kernel command line to boot it while it is its store's default, as in "persistence".
    #[zbus(property)]
    fn kernel_parameters(&self) -> zbus::Result<String>;

    /// The store object it is on.
    #[zbus(property(emits_changed_signal = "const"))]
    fn store(&self) -> zbus::Result<OwnedObjectPath>;
}
