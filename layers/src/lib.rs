//! Copying an overlay's upper directory onto a medium: faithfully, fast, and again and again.
//!
//! [`copy`] makes a first copy, or a new generation that shares unchanged files with the previous
//! one. [`refresh`] brings a copy up to what changed meanwhile. [`forecast`] says beforehand what
//! either would write. [`manifest`] notes on the medium what was written and finds damage later.
//!
//! All of it works on directory descriptors and never leaves the trees handed in. An inode that
//! exists in the destination is never written to: generations share inodes, and the older one must
//! stay as it is. Nothing is promised to be on the device before the caller has synced it.

mod attributes;
mod content;
mod error;
mod examine;
mod exclude;
mod facts;
mod forecast;
mod hash;
mod index;
mod links;
pub mod manifest;
mod mirror;
mod names;
mod pace;
mod place;
mod progress;
mod remove;
mod silent;
mod summed;
#[cfg(feature = "testing")]
pub mod testing;
mod totals;
mod walk;

pub use error::{EntryPath, Error, Result};
pub use exclude::Exclude;
pub use forecast::{Forecast, Look, confirm, forecast};
pub use index::Index;
pub use mirror::{Copied, Job, Previous, copy, refresh};
pub use progress::{Progress, Unattended};
pub use remove::remove_tree;
pub use totals::Totals;
