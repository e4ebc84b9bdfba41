//! `org.ubuntu.Wendy.Job`.

use zbus::{OwnedObjectPath, proxy};

use crate::Result;
use crate::facts::Facts;
use crate::options::NoOptions;

/// One long operation.
#[proxy(
    interface = "org.ubuntu.Wendy.Job",
    default_service = "org.ubuntu.Wendy",
    assume_defaults = false
)]
pub trait Job {
    /// Asks the job to stop.
    #[zbus(allow_interactive_auth)]
    fn cancel(&self, options: &NoOptions) -> Result<()>;

    /// The job is over; see the contract.
    #[zbus(signal)]
    fn finished(&self, result: &str, error: &str, message: &str, facts: Facts) -> Result<()>;

    /// What it is for, a word of [`crate::words::Operation`].
    #[zbus(property(emits_changed_signal = "const"))]
    fn operation(&self) -> zbus::Result<String>;

    /// How far it is, a word of [`crate::words::JobState`].
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;

    /// What it does now, a word of [`crate::words::Phase`] or nothing.
    #[zbus(property)]
    fn phase(&self) -> zbus::Result<String>;

    /// How much of the present phase is done, from 0 to 1.
    #[zbus(property)]
    fn progress(&self) -> zbus::Result<f64>;

    /// Bytes dealt with in this phase.
    #[zbus(property)]
    fn bytes_done(&self) -> zbus::Result<u64>;

    /// Bytes to deal with, 0 while not known.
    #[zbus(property)]
    fn bytes_total(&self) -> zbus::Result<u64>;

    /// Files, directories and other entries dealt with.
    #[zbus(property)]
    fn entries_done(&self) -> zbus::Result<u64>;

    /// Entries to deal with, 0 while not known.
    #[zbus(property)]
    fn entries_total(&self) -> zbus::Result<u64>;

    /// Bytes per second, averaged over the last seconds; 0 while not known.
    #[zbus(property)]
    fn rate(&self) -> zbus::Result<u64>;

    /// When, in seconds since 1970.
    #[zbus(property(emits_changed_signal = "const"))]
    fn started(&self) -> zbus::Result<i64>;

    /// When, in seconds since 1970; 0 while not known.
    #[zbus(property)]
    fn expected_end(&self) -> zbus::Result<i64>;

    /// The devices, stores and sessions it works on.
    #[zbus(property)]
    fn objects(&self) -> zbus::Result<Vec<OwnedObjectPath>>;

    /// User who started it.
    #[zbus(property(emits_changed_signal = "const"))]
    fn started_by_uid(&self) -> zbus::Result<u32>;

    /// Cancel() works now.
    #[zbus(property)]
    fn cancelable(&self) -> zbus::Result<bool>;

    /// What was there before cannot be had back any more.
    #[zbus(property)]
    fn point_of_no_return(&self) -> zbus::Result<bool>;

    /// Processes it waits for, each with process id, command and what is held.
    #[zbus(property)]
    fn blockers(&self) -> zbus::Result<Vec<(u32, String, String)>>;

    /// The error of Finished, for those who come later; "" until then.
    #[zbus(property)]
    fn error(&self) -> zbus::Result<String>;

    /// The message of Finished, for those who come later; "" until then.
    #[zbus(property)]
    fn message(&self) -> zbus::Result<String>;

    /// The facts of Finished, for those who come later; empty until then.
    #[zbus(property)]
    fn facts(&self) -> zbus::Result<Facts>;
}
