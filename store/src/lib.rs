//! What wendy writes on a medium: names, records, paths and links, without any I/O.
//!
//! A *store* is a filesystem that carries the marker `/casper/.info`; a *session* is one saved
//! system state in it; a *generation* is one complete save of a session. Daemon, client and boot
//! menus share this crate, so every rule about the medium is written down once.
//!
//! Invariants: no function here opens, reads or writes anything; no input, however damaged,
//! makes one panic; whatever a medium says is checked before it becomes a type of this crate.

pub mod base;
pub mod boot;
pub mod id;
pub mod info;
pub mod layout;
pub mod media;
pub mod name;
pub mod record;
pub mod stack;

pub use base::BaseImage;
pub use id::{Generation, IdError, SessionId, StoreId};
pub use info::{Info, InfoError};
pub use name::{Name, NameError};
pub use record::{
    Consistency, Format, GenerationFacts, GenerationRecord, RecordError, SessionRecord, StoreRecord,
};
pub use stack::{Stack, UpperKind};

/// The format version of every record written by this wendy.
pub const FORMAT: u32 = 1;
