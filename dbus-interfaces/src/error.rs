//! The errors of the contract, `org.ubuntu.Wendy.Error.*`.
//!
//! The same type is what the daemon answers with and what proxies return, so a client matches on
//! variants, never on text. The text names the object and says what to do, in English.

use zbus::DBusError;

/// Prefix of every error name of the contract, final dot included.
pub const PREFIX: &str = "org.ubuntu.Wendy.Error.";

/// Result of a call to the daemon.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call or a job failed. The text is for people; `ZBus` is everything outside the contract,
/// such as a bus that cannot be reached.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.ubuntu.Wendy.Error")]
pub enum Error {
    /// The bus itself failed, or an answer came that the contract does not know.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// The caller may not do this.
    NotAuthorized(String),
    /// The caller could be allowed after a prompt, but the call did not permit one.
    NotAuthorizedCanObtain(String),
    /// The prompt was dismissed.
    NotAuthorizedDismissed(String),
    /// An argument or option is unknown, of the wrong type or out of range.
    InvalidArgument(String),
    /// There is no such object.
    NotFound(String),
    /// The device is mounted, held, the boot medium or part of the running system.
    DeviceBusy(String),
    /// The device or what is on it is not what the plan was made for.
    DeviceChanged(String),
    /// The device was pulled out.
    Gone(String),
    /// Something would be lost, and no token says that this is wanted.
    NeedsToken(String),
    /// The token was used, has expired, is another caller's or was given for another plan.
    StaleToken(String),
    /// There is too little room.
    NoSpace(String),
    /// This daemon, medium or live system cannot do it.
    NotSupported(String),
    /// The running system is not a live system that wendy knows.
    NotLive(String),
    /// The session was saved on another base image.
    Incompatible(String),
    /// What is on the medium is damaged.
    Corrupt(String),
    /// The passphrase does not open the store.
    WrongPassphrase(String),
    /// The job was cancelled.
    Cancelled(String),
    /// Another job works on this, or the caller has too many requests pending.
    Busy(String),
    /// Anything else that went wrong.
    Failed(String),
}

impl Error {
    /// The error with this full D-Bus name, as carried by `Job.Finished`; `None` for a name that is
    /// not of the contract.
    pub fn from_name(name: &str, message: &str) -> Option<Self> {
        let constructor = match name.strip_prefix(PREFIX)? {
            "NotAuthorized" => Self::NotAuthorized,
            "NotAuthorizedCanObtain" => Self::NotAuthorizedCanObtain,
            "NotAuthorizedDismissed" => Self::NotAuthorizedDismissed,
            "InvalidArgument" => Self::InvalidArgument,
            "NotFound" => Self::NotFound,
            "DeviceBusy" => Self::DeviceBusy,
            "DeviceChanged" => Self::DeviceChanged,
            "Gone" => Self::Gone,
            "NeedsToken" => Self::NeedsToken,
            "StaleToken" => Self::StaleToken,
            "NoSpace" => Self::NoSpace,
            "NotSupported" => Self::NotSupported,
            "NotLive" => Self::NotLive,
            "Incompatible" => Self::Incompatible,
            "Corrupt" => Self::Corrupt,
            "WrongPassphrase" => Self::WrongPassphrase,
            "Cancelled" => Self::Cancelled,
            "Busy" => Self::Busy,
            "Failed" => Self::Failed,
            _ => return None,
        };
        Some(constructor(message.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 19] = [
        "NotAuthorized",
        "NotAuthorizedCanObtain",
        "NotAuthorizedDismissed",
        "InvalidArgument",
        "NotFound",
        "DeviceBusy",
        "DeviceChanged",
        "Gone",
        "NeedsToken",
        "StaleToken",
        "NoSpace",
        "NotSupported",
        "NotLive",
        "Incompatible",
        "Corrupt",
        "WrongPassphrase",
        "Cancelled",
        "Busy",
        "Failed",
    ];

    #[test]
    fn every_name_leads_to_its_error_and_back() {
        for name in NAMES {
            let full = format!("{PREFIX}{name}");
            let error = Error::from_name(&full, "why").unwrap();
            assert_eq!(error.name().as_str(), full);
            assert_eq!(error.description(), Some("why"));
        }
    }

    #[test]
    fn a_stranger_is_no_error_of_ours() {
        assert!(Error::from_name("org.freedesktop.DBus.Error.NoReply", "").is_none());
        assert!(Error::from_name("org.ubuntu.Wendy.Error.Nonsense", "").is_none());
    }
}
