//! The manifest: what a generation held when it was saved, for finding damage later.
//!
//! A stream of records, each with the hash of an entry; a directory comes before what is in it and
//! gets a number by which its entries name it, so neither side ever holds a path. The end carries a
//! count and a checksum. A manifest comes from a medium and may be hostile: the reader allocates
//! nothing that the stream has not paid for, and only follows names below the tree it is given.

mod format;
mod read;
mod verify;
mod write;

pub use verify::{Damage, Fault, Report, verify};
pub(crate) use write::Records;
pub use write::Writer;
