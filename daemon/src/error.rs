//! What can go wrong, in variants a caller can act on.
//!
//! Every message names the object and says what to do. Object names that come from a medium are
//! already checked ([`wendy_store::Name`]); texts of the kernel and of tools are carried as sources.

use std::io;

use thiserror::Error;
use wendy_sys::Errno;
use wendy_text::two_sizes;

use crate::jobs::{Failure, FailureKind, Refused};

/// Why an operation was refused or failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The running system is no live system.
    #[error("this is no live system ({0}), so there is no session to save")]
    NotLive(String),
    /// No such object.
    #[error("{0} does not exist; list the objects again")]
    NotFound(String),
    /// The live system was started from it.
    #[error(
        "{0} is the medium this system was started from; add a store in its free space, or use another one"
    )]
    BootMedium(String),
    /// Something on a built-in disk would be erased.
    #[error("{0} is built into this computer, where wendy erases nothing; use a removable device")]
    SystemDisk(String),
    /// Something holds the device.
    #[error("{what} is in use ({by}); unmount or stop that and try again")]
    InUse {
        /// The device.
        what: String,
        /// Its holder, in plain words.
        by: String,
    },
    /// Another operation of wendy works on the same medium.
    #[error("{0} is busy with another operation; wait until that is done")]
    Busy(String),
    /// The device or the free space on it is too small.
    #[error(
        "{what} has {}, {} are needed; use a larger one or ask for less",
        two_sizes(*have, *need).0,
        two_sizes(*have, *need).1
    )]
    TooSmall {
        /// The device or the space.
        what: String,
        /// Bytes there.
        have: u64,
        /// Bytes needed.
        need: u64,
    },
    /// The medium refuses writes.
    #[error("{0} is read-only; unlock its switch or use another one")]
    ReadOnly(String),
    /// The kernel has stopped writing to the medium because of an error (ext4(5), `errors=`).
    #[error("{0} fails: nothing can be written to it any more; save to another one, then check it")]
    Failing(String),
    /// The save does not fit beside what is there.
    #[error(
        "{what} has {} free, {} are needed; delete a session or use a larger one",
        two_sizes(*have, *need).0,
        two_sizes(*have, *need).1
    )]
    NoSpace {
        /// The store.
        what: String,
        /// Bytes free.
        have: u64,
        /// Bytes needed.
        need: u64,
    },
    /// The filesystem holds as many files as it can.
    #[error(
        "{what} can take {have} more files, {need} are needed; delete a session or use a larger one"
    )]
    NoInodes {
        /// The store.
        what: String,
        /// Files it can still take.
        have: u64,
        /// Files needed.
        need: u64,
    },
    /// The medium ran full although the forecast fitted.
    #[error("{0} is full; the last complete save is untouched")]
    Full(String),
    /// A session of this name exists.
    #[error(
        "there is already a session called {0:?} in this store; choose another name or update that session"
    )]
    NameTaken(String),
    /// A name that cannot be shown or stored.
    #[error("this name cannot be used: {0}")]
    BadName(#[from] wendy_store::NameError),
    /// A pattern that is no path below the root.
    #[error("the pattern {pattern:?} cannot be excluded: {why}")]
    BadExclude {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// Made by a newer wendy.
    #[error(
        "{what} has format {format}, this version writes up to {}; use a newer wendy",
        wendy_store::FORMAT
    )]
    NewerFormat {
        /// The store or session.
        what: String,
        /// Its format.
        format: u32,
    },
    /// Records or files that do not hold together.
    #[error("{what} is damaged: {why}")]
    Corrupt {
        /// The object.
        what: String,
        /// What was found.
        why: String,
    },
    /// Saved on another image.
    #[error("the session {0:?} belongs to another live image; save under a new name")]
    OtherBase(String),
    /// The session the system runs from.
    #[error("the session {0:?} is running; start another one first")]
    Running(String),
    /// The medium was pulled out.
    #[error("{0} was removed; the last complete save on it is untouched")]
    Gone(String),
    /// Not the device it was a moment ago.
    #[error("{0} is not the device it was when the plan was made; plan again")]
    Changed(String),
    /// Something would be destroyed, and nobody has agreed to that.
    #[error("{0} holds data that would be lost; ask for the plan and pass its token")]
    NeedsToken(String),
    /// The token does not fit.
    #[error("this token is used up, expired or made for something else; plan again")]
    StaleToken,
    /// This store or machine cannot do it.
    #[error("{0}")]
    NotSupported(String),
    /// Stopped on request.
    #[error("cancelled; nothing complete was lost")]
    Cancelled,
    /// A tree could not be copied, compared or removed. The text leaves out which file it was.
    #[error("{}", without_names(.0))]
    Copy(wendy_layers::Error),
    /// The kernel or a tool failed.
    #[error("{what} failed: {source}")]
    System {
        /// The step.
        what: String,
        /// What the kernel or the tool said.
        source: wendy_sys::Error,
    },
}

/// What the engine returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the step in which the kernel or a tool failed, and turns what a caller can act on into
/// its own variant.
pub(crate) trait During<T> {
    /// Like "making the filesystem".
    fn during(self, what: &str) -> Result<T>;
}

impl<T> During<T> for wendy_sys::Result<T> {
    fn during(self, what: &str) -> Result<T> {
        self.map_err(|source| match source {
            wendy_sys::Error::Cancelled => Error::Cancelled,
            wendy_sys::Error::DeviceChanged { device, .. } => {
                Error::Changed(device.display().to_string())
            }
            wendy_sys::Error::Locked { device } => Error::Busy(device.display().to_string()),
            source => Error::System {
                what: what.to_owned(),
                source,
            },
        })
    }
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: &str) -> Result<T> {
        self.map_err(os(what)).during(what)
    }
}

/// Turns a bare error number into an error of the kernel during `what`.
pub(crate) fn os<E: Into<io::Error>>(what: &str) -> impl Fn(E) -> wendy_sys::Error {
    move |error| wendy_sys::Error::Os {
        what: what.to_owned(),
        source: error.into(),
    }
}

impl Error {
    /// Says of a failure of the kernel what it means for the medium called `what`.
    pub(crate) fn about(self, what: &str) -> Error {
        if let Error::Copy(error) = &self {
            // With the name of the file, which the caller must not see.
            tracing::warn!(%error, "copying failed");
        }
        match self.errno() {
            Some(Errno::NOSPC | Errno::DQUOT) => Error::Full(what.to_owned()),
            // What is write-protected is refused before.
            Some(Errno::ROFS) => Error::Failing(what.to_owned()),
            Some(Errno::NODEV | Errno::NXIO) => Error::Gone(what.to_owned()),
            _ => self,
        }
    }

    fn errno(&self) -> Option<Errno> {
        match self {
            Error::System { source, .. } => source.errno(),
            Error::Copy(wendy_layers::Error::NoSpace { .. }) => Some(Errno::NOSPC),
            Error::Copy(wendy_layers::Error::Write { source, .. }) => Some(*source),
            Error::Copy(wendy_layers::Error::Stream { source, .. }) => Errno::from_io_error(source),
            _ => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Error::NotLive(_) => FailureKind::NotLive,
            Error::NotFound(_) => FailureKind::NotFound,
            Error::BootMedium(_)
            | Error::SystemDisk(_)
            | Error::InUse { .. }
            | Error::Running(_) => FailureKind::DeviceBusy,
            Error::Busy(_) => FailureKind::Busy,
            Error::TooSmall { .. }
            | Error::NoSpace { .. }
            | Error::NoInodes { .. }
            | Error::Full(_) => FailureKind::NoSpace,
            Error::ReadOnly(_) | Error::NotSupported(_) => FailureKind::NotSupported,
            Error::NameTaken(_) | Error::BadName(_) | Error::BadExclude { .. } => {
                FailureKind::InvalidArgument
            }
            Error::NewerFormat { .. } | Error::OtherBase(_) => FailureKind::Incompatible,
            Error::Corrupt { .. } => FailureKind::Corrupt,
            Error::Gone(_) => FailureKind::Gone,
            Error::Changed(_) => FailureKind::DeviceChanged,
            Error::NeedsToken(_) => FailureKind::NeedsToken,
            Error::StaleToken => FailureKind::StaleToken,
            Error::Cancelled => FailureKind::Cancelled,
            Error::Failing(_) | Error::System { .. } | Error::Copy(_) => FailureKind::Failed,
        }
    }
}

/// What everybody on the bus may hear of a failed copy: the names of files are not among it.
fn without_names(error: &wendy_layers::Error) -> String {
    use wendy_layers::Error as Copying;
    match error {
        Copying::Read { source, .. } => {
            format!("a file cannot be read ({source}); the journal names it")
        }
        Copying::Write { source, .. } => {
            format!("a file cannot be written to the medium ({source}); check the medium")
        }
        Copying::Attribute { size, .. } => format!(
            "a file has an attribute of {size} bytes, which the filesystem of the medium cannot hold; \
             prepare the medium again"
        ),
        Copying::NoSpace { .. } => "the medium is full; free some space there".to_owned(),
        other => other.to_string(),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::new(error.kind(), error.to_string())
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        Error::Busy(refused.to_string())
    }
}

impl From<wendy_layers::Error> for Error {
    fn from(error: wendy_layers::Error) -> Error {
        match error {
            wendy_layers::Error::Cancelled => Error::Cancelled,
            wendy_layers::Error::Exclude { pattern, reason } => Error::BadExclude {
                pattern,
                why: reason,
            },
            other => Error::Copy(other),
        }
    }
}
