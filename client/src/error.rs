//! Failures as people and scripts meet them: one sentence, what to do about it, an exit status.

use std::io;

use wendy_dbus::Error;
use zbus::{DBusError, fdo};

/// Exit status; documented in `wendyctl --help`, so a number never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Anything not below.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// Not allowed.
    NotAuthorized = 3,
    /// No such thing, or the name fits more than one.
    NotFound = 4,
    /// Nobody agreed, or what was agreed to has changed.
    NotAgreed = 5,
    /// Cancelled.
    Cancelled = 6,
    /// Too little room.
    NoSpace = 7,
    /// Device, store or session is busy.
    Busy = 8,
    /// The daemon cannot be reached.
    NoDaemon = 9,
    /// The device was pulled out.
    Gone = 10,
    /// Cannot be done on this system or medium.
    Impossible = 11,
    /// Damage on the medium.
    Damaged = 12,
}

impl Exit {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 12] = [
        Self::Failed,
        Self::Usage,
        Self::NotAuthorized,
        Self::NotFound,
        Self::NotAgreed,
        Self::Cancelled,
        Self::NoSpace,
        Self::Busy,
        Self::NoDaemon,
        Self::Gone,
        Self::Impossible,
        Self::Damaged,
    ];

    /// The number a shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The word that `--json` shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotAuthorized => "not-authorized",
            Self::NotFound => "not-found",
            Self::NotAgreed => "not-agreed",
            Self::Cancelled => "cancelled",
            Self::NoSpace => "no-space",
            Self::Busy => "busy",
            Self::NoDaemon => "no-daemon",
            Self::Gone => "gone",
            Self::Impossible => "impossible",
            Self::Damaged => "damaged",
        }
    }
}

/// Why a command ends without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the shell is told.
    pub exit: Exit,
    /// One sentence without a full stop; "" when there is nobody left to read it.
    pub message: String,
    /// What to do, or "".
    pub advice: String,
}

impl Failure {
    /// A failure with nothing to advise.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            advice: String::new(),
        }
    }

    /// Says what to do.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    fn from_bus(exit: Exit, message: String, advice: &str) -> Self {
        Self::new(exit, message).advise(advice)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::ZBus(error) => error.into(),
            Error::NotAuthorized(why) => Self::from_bus(Exit::NotAuthorized, why, ""),
            Error::NotAuthorizedCanObtain(why) => {
                let advice = "run it in a desktop session, where you can be asked for a password, or with sudo";
                Self::from_bus(Exit::NotAuthorized, why, advice)
            }
            Error::NotAuthorizedDismissed(why) => Self::from_bus(Exit::NotAuthorized, why, ""),
            Error::InvalidArgument(why) => Self::from_bus(Exit::Usage, why, ""),
            Error::NotFound(why) => Self::from_bus(Exit::NotFound, why, ""),
            Error::DeviceBusy(why) => Self::from_bus(Exit::Busy, why, ""),
            Error::DeviceChanged(why) => {
                let advice = "look again with 'wendyctl devices', then plan anew";
                Self::from_bus(Exit::NotAgreed, why, advice)
            }
            Error::Gone(why) => Self::from_bus(Exit::Gone, why, ""),
            Error::NeedsToken(why) => {
                let advice = "see 'wendyctl prepare --help' about --dry-run and --token";
                Self::from_bus(Exit::NotAgreed, why, advice)
            }
            Error::StaleToken(why) => Self::from_bus(Exit::NotAgreed, why, "plan anew"),
            Error::NoSpace(why) => Self::from_bus(Exit::NoSpace, why, ""),
            Error::NotSupported(why) | Error::NotLive(why) | Error::Incompatible(why) => {
                Self::from_bus(Exit::Impossible, why, "")
            }
            Error::Corrupt(why) => Self::from_bus(Exit::Damaged, why, ""),
            Error::WrongPassphrase(why) => Self::from_bus(Exit::NotAuthorized, why, ""),
            Error::Cancelled(why) => Self::from_bus(Exit::Cancelled, why, ""),
            Error::Busy(why) => {
                Self::from_bus(Exit::Busy, why, "'wendyctl jobs' shows what is at work")
            }
            Error::Failed(why) => {
                let advice = "'journalctl -u wendyd' may say more";
                Self::from_bus(Exit::Failed, why, advice)
            }
        }
    }
}

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        match error {
            zbus::Error::FDO(error) => fdo_failure(&error),
            zbus::Error::InputOutput(error) => Self::new(
                Exit::NoDaemon,
                format!("the connection to the system bus broke: {error}"),
            ),
            error => Self::new(
                Exit::Failed,
                format!("the daemon gave no proper answer: {error}"),
            )
            .advise("'journalctl -u wendyd' may say more"),
        }
    }
}

impl From<fdo::Error> for Failure {
    fn from(error: fdo::Error) -> Self {
        fdo_failure(&error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Failed, ""),
            _ => Self::new(Exit::Failed, error.to_string()),
        }
    }
}

/// Errors of the bus itself: the service is not there, does not start or is closed to us.
fn fdo_failure(error: &fdo::Error) -> Failure {
    let why = error.description().unwrap_or_default();
    let (exit, message, advice) = match error {
        fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => (
            Exit::NoDaemon,
            "the daemon of wendy is not installed or not running".to_owned(),
            "install the package wendy, then look at 'systemctl status wendyd'",
        ),
        fdo::Error::NoReply(_) | fdo::Error::TimedOut(_) | fdo::Error::Timeout(_) => (
            Exit::NoDaemon,
            "the daemon of wendy does not answer".to_owned(),
            "'journalctl -u wendyd' may say why",
        ),
        fdo::Error::AccessDenied(_) | fdo::Error::InteractiveAuthorizationRequired(_) => (
            Exit::NotAuthorized,
            format!("the system bus refused the call: {why}"),
            "",
        ),
        fdo::Error::UnknownObject(_) => (Exit::NotFound, "it is not there any more".to_owned(), ""),
        fdo::Error::UnknownMethod(_) | fdo::Error::UnknownProperty(_) => (
            Exit::Impossible,
            "the daemon is of another version than wendyctl".to_owned(),
            "restart it: 'systemctl restart wendyd'",
        ),
        error if error.name().as_str().contains(".Spawn.") => (
            Exit::NoDaemon,
            format!("the daemon of wendy cannot be started: {why}"),
            "'journalctl -u wendyd' may say why",
        ),
        _ => (
            Exit::Failed,
            format!("the daemon gave no proper answer: {why}"),
            "",
        ),
    };
    Failure::new(exit, message).advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_distinct_and_never_zero() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.dedup();
        assert_eq!(codes, (1..=12).collect::<Vec<u8>>());
    }

    #[test]
    fn a_missing_daemon_is_told_from_a_failing_one() {
        let missing = zbus::Error::from(fdo::Error::ServiceUnknown("no such name".into()));
        let failure = Failure::from(Error::from(missing));
        assert_eq!(failure.exit, Exit::NoDaemon);
        assert!(failure.message.contains("not installed"));
        let failing = Failure::from(Error::Failed("mkfs.ext4 failed".into()));
        assert_eq!(
            (failing.exit, failing.message.as_str()),
            (Exit::Failed, "mkfs.ext4 failed")
        );
    }
}
