//! `org.ubuntu.Wendy`.

use zbus::{ObjectPath, OwnedObjectPath, proxy};

use crate::Result;
use crate::options::{PrepareOptions, SaveOptions, SnapshotOptions, SwitchOptions};
use crate::plans::{PreparePlan, SavePlan};

/// The running system and what can be done with it.
#[proxy(
    interface = "org.ubuntu.Wendy",
    default_service = "org.ubuntu.Wendy",
    default_path = "/org/ubuntu/Wendy"
)]
pub trait Wendy {
    /// Says what `prepare_device` would do, with the token that consents to it.
    fn plan_prepare(
        &self,
        device: &ObjectPath<'_>,
        options: &PrepareOptions,
    ) -> Result<(PreparePlan, String)>;

    /// Makes a store on a device.
    #[zbus(allow_interactive_auth)]
    fn prepare_device(
        &self,
        device: &ObjectPath<'_>,
        options: &PrepareOptions,
    ) -> Result<OwnedObjectPath>;

    /// Says what `save_session` would write.
    #[zbus(allow_interactive_auth)]
    fn plan_save(
        &self,
        store: &ObjectPath<'_>,
        name: &str,
        options: &SaveOptions,
    ) -> Result<SavePlan>;

    /// Saves the running session.
    #[zbus(allow_interactive_auth)]
    fn save_session(
        &self,
        store: &ObjectPath<'_>,
        name: &str,
        options: &SaveOptions,
    ) -> Result<OwnedObjectPath>;

    /// Lets the running system go on in a saved session.
    #[zbus(allow_interactive_auth)]
    fn switch_upper_layer(
        &self,
        session: &ObjectPath<'_>,
        options: &SwitchOptions,
    ) -> Result<OwnedObjectPath>;

    /// Writes the running system into one image.
    #[zbus(allow_interactive_auth)]
    fn snapshot(&self, name: &str, options: &SnapshotOptions) -> Result<OwnedObjectPath>;

    /// Version of the daemon.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<String>;

    /// What this daemon can do.
    #[zbus(property(emits_changed_signal = "const"))]
    fn capabilities(&self) -> zbus::Result<Vec<String>>;

    /// Who set up this live system.
    #[zbus(property(emits_changed_signal = "const"))]
    fn live_stack(&self) -> zbus::Result<String>;

    /// How changes are kept apart from the image.
    #[zbus(property(emits_changed_signal = "const"))]
    fn upper_kind(&self) -> zbus::Result<String>;

    /// What will become of the changes, a word of [`crate::words::State`].
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;

    /// Why, a word of [`crate::words::StateReason`], or nothing.
    #[zbus(property)]
    fn state_reason(&self) -> zbus::Result<String>;

    /// One sentence about the state, or nothing.
    #[zbus(property)]
    fn state_message(&self) -> zbus::Result<String>;

    /// The session this system was booted from, or `/`.
    #[zbus(property)]
    fn running_session(&self) -> zbus::Result<OwnedObjectPath>;

    /// Name of that session, also while its store is not plugged in.
    #[zbus(property)]
    fn running_session_name(&self) -> zbus::Result<String>;

    /// Identity of the read-only image below the changes.
    #[zbus(property(emits_changed_signal = "const"))]
    fn base_image(&self) -> zbus::Result<String>;

    /// Bytes the changes take up now.
    #[zbus(property(emits_changed_signal = "false"))]
    fn upper_used(&self) -> zbus::Result<u64>;

    /// Bytes the changes may take up in all, 0 when unknown.
    #[zbus(property(emits_changed_signal = "false"))]
    fn upper_size(&self) -> zbus::Result<u64>;
}
