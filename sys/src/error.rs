//! What can go wrong below the engine, and the little trait that names the object it went wrong with.

use std::{io, path::PathBuf};

use rustix::io::Errno;

/// Result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the kernel, of a device or of an external tool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused; `what` names the operation and its object.
    #[error("{what}: {source}")]
    Os {
        /// Operation and object, such as `open /dev/sda`.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A filesystem could not be mounted; `kernel` is the kernel's own explanation.
    #[error("{what}: {source}: {kernel}")]
    Mount {
        /// Operation and object.
        what: String,
        /// The kernel's answer.
        source: io::Error,
        /// Messages read from the filesystem context, joined by `; `.
        kernel: String,
    },
    /// An external tool ran and failed.
    #[error("{tool} failed ({status}): {stderr_tail}")]
    Tool {
        /// Name of the program.
        tool: String,
        /// Exit code or signal in words, such as `exit status: 1`.
        status: String,
        /// Exit code, absent when a signal ended the program.
        code: Option<i32>,
        /// The last lines it wrote to its standard error, control characters removed.
        stderr_tail: String,
    },
    /// A needed program is in none of the system's program directories.
    #[error("{tool} is not installed: install the package that provides it")]
    ToolMissing {
        /// Name of the program.
        tool: String,
    },
    /// The node now leads to another device, or the device changed, since it was inspected.
    #[error("{device} is not the device that was inspected: {difference}")]
    DeviceChanged {
        /// The node that was opened.
        device: PathBuf,
        /// What differs, old value first.
        difference: String,
    },
    /// Another program keeps the whole disk locked.
    #[error("{device} stays locked by another program: close it and try again")]
    Locked {
        /// Node of the whole disk.
        device: PathBuf,
    },
    /// Something is larger than the reader accepts.
    #[error("{what} is larger than {limit}")]
    TooLarge {
        /// The object.
        what: String,
        /// The limit, in the unit of the object (bytes or entries).
        limit: usize,
    },
    /// An argument or a kernel table does not have the required form.
    #[error("{what}: {why}")]
    Invalid {
        /// The object.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// The error number behind this error, if the kernel gave one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Os { source, .. } | Self::Mount { source, .. } => Errno::from_io_error(source),
            _ => None,
        }
    }

    pub(crate) fn os(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Os {
            what: what.into(),
            source: source.into(),
        }
    }

    pub(crate) fn invalid(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid {
            what: what.into(),
            why: why.into(),
        }
    }
}

/// Turns a bare error number into one that names the operation and its object.
pub(crate) trait Context<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::os(what(), source))
    }
}
