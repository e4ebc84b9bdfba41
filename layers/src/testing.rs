//! What tests and measurements of this crate and of others share: filesystems on loop devices, an
//! upper directory with everything that is hard to copy, a large ordinary one, and a comparison of
//! trees that shares no code with the copier.
//!
//! Needs root. Nothing is mounted where others see it: mounts are detached, reached by descriptor,
//! and end with the process whatever happens to it.

mod compare;
mod disk;
mod nasty;
mod ordinary;

pub use compare::{Depth, differences};
pub use disk::{Disk, Mounted, Overlay, tmpfs, tool};
pub use nasty::{NASTY_OPTIONS, nasty_upper};
pub use ordinary::{change_some, ordinary_upper};
