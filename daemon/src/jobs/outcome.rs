//! How a job ended.

use std::any::Any;

use super::Facts;

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked.
    Done(Facts),
    /// It did not; what was there before is still there.
    Failed(Failure),
    /// It was stopped on request.
    Cancelled(Failure),
}

/// Why something was not done, in the words of the bus contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What a program can act on.
    pub kind: FailureKind,
    /// What a person reads: names the object and says what to do.
    pub message: String,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure {
            kind,
            message: message.into(),
        }
    }

    /// A bug: the work panicked.
    pub(super) fn panicked(panic: &(dyn Any + Send)) -> Failure {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Failure::new(
            FailureKind::Failed,
            format!("internal error, please report it: {text}"),
        )
    }
}

/// The errors of the bus contract, authorisation aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// An argument makes no sense.
    InvalidArgument,
    /// No such object.
    NotFound,
    /// The device is mounted, held or otherwise in use.
    DeviceBusy,
    /// The device is not the one that was meant.
    DeviceChanged,
    /// The device was unplugged.
    Gone,
    /// Something would be destroyed: plan first and pass the plan's token.
    NeedsToken,
    /// The token is used up, expired, or of another plan, caller or device.
    StaleToken,
    /// There is not enough room.
    NoSpace,
    /// This daemon, kernel or medium cannot do that.
    NotSupported,
    /// The running system is not a live system.
    NotLive,
    /// The session belongs to another image, or the store to a newer wendy.
    Incompatible,
    /// What is on the medium is damaged.
    Corrupt,
    /// The passphrase does not open the store.
    WrongPassphrase,
    /// Stopped on request.
    Cancelled,
    /// Another job is at it, or the caller has too many.
    Busy,
    /// Anything else.
    Failed,
}
