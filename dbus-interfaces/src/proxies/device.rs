//! `org.ubuntu.Wendy.Device`.

use zbus::{OwnedObjectPath, proxy};

/// A disk or partition that could carry a store.
#[proxy(
    interface = "org.ubuntu.Wendy.Device",
    default_service = "org.ubuntu.Wendy",
    assume_defaults = false
)]
pub trait Device {
    /// Where it is now, as in "/dev/sda1".
    #[zbus(property)]
    fn device_node(&self) -> zbus::Result<String>;

    /// Sequence number of the whole disk.
    #[zbus(property(emits_changed_signal = "const"))]
    fn disk_seq(&self) -> zbus::Result<u64>;

    /// Vendor of the drive, as it says itself; may be "".
    #[zbus(property)]
    fn vendor(&self) -> zbus::Result<String>;

    /// Model of the drive, as it says itself; may be "".
    #[zbus(property)]
    fn model(&self) -> zbus::Result<String>;

    /// Serial number of the drive, as it says itself; may be "".
    #[zbus(property)]
    fn serial(&self) -> zbus::Result<String>;

    /// How the drive is attached.
    #[zbus(property)]
    fn bus(&self) -> zbus::Result<String>;

    /// Bytes; 0 for a drive without a medium.
    #[zbus(property)]
    fn size(&self) -> zbus::Result<u64>;

    /// People carry it about.
    #[zbus(property)]
    fn removable(&self) -> zbus::Result<bool>;

    /// The medium is write-protected.
    #[zbus(property)]
    fn read_only(&self) -> zbus::Result<bool>;

    /// Built in, or part of the running system; never offer it without a warning.
    #[zbus(property)]
    fn system(&self) -> zbus::Result<bool>;

    /// The running system was booted from this disk.
    #[zbus(property)]
    fn boot_medium(&self) -> zbus::Result<bool>;

    /// It cannot be prepared now, InUseBy says why.
    #[zbus(property)]
    fn in_use(&self) -> zbus::Result<bool>;

    /// Who uses it, each in a few plain English words, as in "sda1 is mounted at /media/stick".
    #[zbus(property)]
    fn in_use_by(&self) -> zbus::Result<Vec<String>>;

    /// What is on it, as udev says.
    #[zbus(property)]
    fn filesystem_type(&self) -> zbus::Result<String>;

    /// Label of the filesystem, or "".
    #[zbus(property)]
    fn label(&self) -> zbus::Result<String>;

    /// UUID of the filesystem, or "".
    #[zbus(property)]
    fn uuid(&self) -> zbus::Result<String>;

    /// The store object on this device, or "/".
    #[zbus(property)]
    fn store(&self) -> zbus::Result<OwnedObjectPath>;

    /// Whether somebody has looked for a store on it.
    #[zbus(property)]
    fn examined(&self) -> zbus::Result<bool>;

    /// The disk object of a partition; "/" for a whole disk.
    #[zbus(property(emits_changed_signal = "const"))]
    fn parent(&self) -> zbus::Result<OwnedObjectPath>;
}
