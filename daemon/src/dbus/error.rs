//! What goes wrong inside, in the error names of the contract.

use wendy_dbus::Error;
use zbus::DBusError;

use crate::{
    authority::{Denied, rules::NoRule},
    jobs::{Failure, FailureKind},
    limits::TooMany,
};

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        let constructor = match failure.kind {
            FailureKind::InvalidArgument => Error::InvalidArgument,
            FailureKind::NotFound => Error::NotFound,
            FailureKind::DeviceBusy => Error::DeviceBusy,
            FailureKind::DeviceChanged => Error::DeviceChanged,
            FailureKind::Gone => Error::Gone,
            FailureKind::NeedsToken => Error::NeedsToken,
            FailureKind::StaleToken => Error::StaleToken,
            FailureKind::NoSpace => Error::NoSpace,
            FailureKind::NotSupported => Error::NotSupported,
            FailureKind::NotLive => Error::NotLive,
            FailureKind::Incompatible => Error::Incompatible,
            FailureKind::Corrupt => Error::Corrupt,
            FailureKind::WrongPassphrase => Error::WrongPassphrase,
            FailureKind::Cancelled => Error::Cancelled,
            FailureKind::Busy => Error::Busy,
            FailureKind::Failed => Error::Failed,
        };
        constructor(failure.message)
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Error {
        let constructor = match denied {
            Denied::No(_) | Denied::CallerGone => Error::NotAuthorized,
            Denied::CanObtain(_) => Error::NotAuthorizedCanObtain,
            Denied::Dismissed(_) => Error::NotAuthorizedDismissed,
            Denied::PromptOpen => Error::Busy,
        };
        constructor(denied.to_string())
    }
}

impl From<TooMany> for Error {
    fn from(limit: TooMany) -> Error {
        Error::Busy(limit.to_string())
    }
}

impl From<NoRule> for Error {
    fn from(bug: NoRule) -> Error {
        Error::NotAuthorized(bug.to_string())
    }
}

/// The full error name of a failure, for `Finished`.
pub(super) fn name_of(failure: &Failure) -> String {
    Error::from(failure.clone()).name().to_string()
}
