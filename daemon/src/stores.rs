//! Stores on media: how they are opened, and what is read from and written into them.
//!
//! A store is reached through a private mount of a device whose identity is verified; nothing in
//! it is followed by name from outside. Records are read with limits and written as a whole, and
//! everything a medium says is checked before it is believed.

mod attach;
pub mod detour;
pub mod discover;
pub mod leftovers;
pub mod links;
pub mod losses;
pub mod open;
pub mod records;
pub mod sessions;
pub mod shown;

pub use losses::Losses;
pub use open::{Location, OpenStore};
pub use sessions::{Saved, StoredSession};
