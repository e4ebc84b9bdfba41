//! The kernel as wendy uses it: block devices, mounts, files below a directory and external tools.
//!
//! This is the only room with `unsafe` code and the only one that starts programs. It knows no
//! policy: which device may be written, or whether a caller may ask for it, is decided above.
//! Everything is synchronous; callers with an event loop run it on a thread of their own.
//!
//! A device or directory is an open file descriptor with an identity, never a name that is
//! looked up twice.

mod cancel;
mod devnum;
mod error;
mod ioctl;
mod step;
#[cfg(test)]
mod testing;

pub mod block;
pub mod confine;
pub mod dir;
pub mod kernel;
pub mod loopdev;
pub mod memory;
pub mod mount;
pub mod mountinfo;
pub mod namespace;
pub mod socket;
pub mod tool;

pub use cancel::Cancel;
pub use devnum::DevNum;
pub use error::{Error, Result};
#[cfg(feature = "failpoints")]
pub use step::failpoints;
pub use step::step;

pub use rustix::io::Errno;
