//! A complete Linux home directory kept in an ordinary directory of a FAT stick.
//!
//! Files live on the medium under their own readable names; what FAT cannot hold (owners, modes,
//! symbolic and hard links, exact times, extended attributes, case) lives in `.wendy/` beside them.
//!
//! The floors, lowest first; imports only run downwards:
//!
//! | room | concept |
//! |---|---|
//! | [`names`] | file names as bytes, and the names FAT can hold |
//! | [`medium`] | the few operations needed of the lower filesystem |
//! | [`table`] | inodes, directory entries and lower places in memory, changed only by records |
//! | [`store`] | the same records on the medium: superblocks, checkpoints, logs |
//! | [`home`] | POSIX operations, settling of names, reconciliation with foreign changes |
//! | [`fs`], [`mount`] | FUSE in front of it |
//! | [`image`] | the other way to keep a home: as a filesystem in one file |
//! | [`tree`] | all that is in a home, however it is kept |
//! | [`mode`], [`convert`] | which of the two it is, and from one to the other |
//! | [`export`](mod@export), [`import`] | archives and directories out of it and into it |
//! | [`fat`] | what fsck.fat cannot repair on a device that is not mounted |
//! | [`machine`] | the groups of this machine, and who it is |
//! | [`login`] | a stick found at login, its home shown until the last logout |
//!
//! The medium is hostile input: no parser here may panic, loop or allocate without bound on
//! arbitrary bytes, and nothing on it may name a place outside the home.

pub mod acl;
pub mod codec;
pub mod convert;
pub mod export;
pub mod fat;
pub mod fs;
pub mod home;
pub mod ids;
pub mod image;
pub mod import;
pub mod login;
pub mod machine;
pub mod medium;
pub mod mode;
pub mod mount;
pub mod names;
pub mod parts;
pub mod readme;
pub mod record;
pub mod store;
pub mod sync;
pub mod table;
pub mod tree;
