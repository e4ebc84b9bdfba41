//! The live systems: which one runs, where its changes are, and what lies below them.
//!
//! Each stack is one type that implements [`LiveStack`]; a further stack is one further file.
//! Everything here only reads: the upper layer is opened through a read-only mount of its own, and
//! no device or path of the running system is changed. The one thing written is a note in
//! `/run/wendy` that remembers, for this boot, which directory the upper layer is.

mod carriers;
mod casper;
mod dracut;
mod facts;
mod layers;
mod live_boot;
mod note;
mod snapshot;
mod state;
mod upper;

use std::{collections::BTreeSet, os::fd::OwnedFd, path::PathBuf};

use rustix::{
    fs::{Access, access},
    io::Errno,
};
use wendy_store::{BaseImage, Stack, UpperKind};
use wendy_sys::{DevNum, mount::Space};

pub use facts::BootFacts;
pub use layers::Layer;
pub use snapshot::Snapshot;
pub use state::{condition, live_state};
pub use upper::UpperDir;

/// A program family that boots live systems.
pub trait LiveStack {
    /// Its name.
    fn stack(&self) -> Stack;

    /// Whether it booted this system.
    fn booted(&self, facts: &BootFacts) -> bool;

    /// Whether the kernel command line asked it to keep changes on a medium.
    fn asked_to_keep(&self, facts: &BootFacts) -> bool;

    /// Where it keeps changes and what lies below them, topmost first.
    ///
    /// # Errors
    /// When not even the lower layers can be made out.
    fn inspect(&self, facts: &BootFacts) -> Result<Parts, Error>;
}

/// What a stack found out about the system it booted.
#[derive(Debug)]
pub struct Parts {
    /// How changes are kept.
    pub upper_kind: UpperKind,
    /// Where they are.
    pub upper: Upper,
    /// The read-only layers, topmost first.
    pub layers: Vec<Layer>,
    /// Devices that carry the boot medium.
    pub medium: Vec<DevNum>,
}

/// A running live system.
#[derive(Debug)]
pub struct Live {
    /// The stack that booted it.
    pub stack: Stack,
    /// How it keeps changes.
    pub upper_kind: UpperKind,
    /// Where they are.
    pub upper: Upper,
    /// The read-only layers, topmost first.
    pub layers: Vec<Layer>,
    /// Identity of these layers.
    pub base: BaseImage,
    /// What becomes of the changes at shutdown.
    pub persistence: Persistence,
    /// The devices that carry the boot medium: partitions, their disks, and whatever device-mapper
    /// or loop devices lie between.
    pub boot_medium: BTreeSet<DevNum>,
    /// Whether the kernel command line asked to keep changes on a medium.
    pub asked_to_keep: bool,
}

/// The place of the changes.
#[derive(Debug)]
pub enum Upper {
    /// A directory.
    Directory(UpperDir),
    /// The copy-on-write store of a device-mapper snapshot: blocks, not files.
    Snapshot(Snapshot),
    /// It exists but could not be reached; the text says why.
    Unreachable(String),
}

/// What becomes of the changes at shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Persistence {
    /// They are in memory and get lost.
    Volatile,
    /// They are on a block device and stay.
    Kept {
        /// The device of the filesystem that holds them.
        device: DevNum,
        /// Their directory in that filesystem, without links; empty for a snapshot.
        path: PathBuf,
    },
    /// It could not be found out.
    Unknown,
}

/// This is no live system that wendy knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotLive {
    /// Why, in a sentence for people.
    pub reason: String,
}

/// Why a live system could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused.
    #[error(transparent)]
    Sys(#[from] wendy_sys::Error),
    /// The mounts are not what the stack makes.
    #[error("{0}")]
    Layout(String),
    /// The upper layer is no directory, or none that can be reached.
    #[error("{0}")]
    NoDirectory(String),
}

/// Looks at the running system: its command line, mounts and devices.
///
/// # Errors
/// [`NotLive`] with the reason, also when the system could not be looked at.
pub fn detect() -> Result<Live, NotLive> {
    let cannot = |error| NotLive {
        reason: format!("the system could not be looked at: {error}"),
    };
    detect_in(&BootFacts::read().map_err(cannot)?)
}

impl Live {
    /// Opens the upper layer: a directory of its own descriptor, through which nothing can be
    /// changed.
    ///
    /// # Errors
    /// [`Error::NoDirectory`] when it is a snapshot or cannot be reached.
    pub fn open_upper(&self) -> Result<OwnedFd, Error> {
        match &self.upper {
            Upper::Directory(upper) => Ok(upper.open()?),
            Upper::Snapshot(_) => Err(Error::NoDirectory(
                "changes are kept as blocks of a device-mapper snapshot, not as files".into(),
            )),
            Upper::Unreachable(why) => Err(Error::NoDirectory(why.clone())),
        }
    }

    /// Room where the changes are kept. May block on a slow device.
    ///
    /// # Errors
    /// When it could not be asked for.
    pub fn usage(&self) -> Result<Space, Error> {
        match &self.upper {
            Upper::Directory(upper) => Ok(upper.space()?),
            Upper::Snapshot(snapshot) => snapshot.space(),
            Upper::Unreachable(why) => Err(Error::NoDirectory(why.clone())),
        }
    }

    /// Whether nothing can be changed any more, now: the root directory or the filesystem with the
    /// changes below it was mounted anew without writes, or the kernel has given it up after an error.
    pub fn read_only(&self) -> bool {
        let given_up = match &self.upper {
            Upper::Directory(upper) => upper.given_up(),
            Upper::Snapshot(_) | Upper::Unreachable(_) => false,
        };
        given_up || access("/", Access::WRITE_OK) == Err(Errno::ROFS)
    }
}

impl Upper {
    fn or_unreachable(found: Result<UpperDir, Error>) -> Self {
        found.map_or_else(
            |error| Self::Unreachable(error.to_string()),
            Self::Directory,
        )
    }
}

fn detect_in(facts: &BootFacts) -> Result<Live, NotLive> {
    let stacks: [&dyn LiveStack; 3] = [&casper::Casper, &live_boot::LiveBoot, &dracut::Dracut];
    let Some(stack) = stacks.into_iter().find(|stack| stack.booted(facts)) else {
        return Err(NotLive {
            reason: facts.why_not_live(),
        });
    };
    let name = stack.stack().as_str();
    let parts = stack.inspect(facts).map_err(|error| NotLive {
        reason: format!("{name} seems to have booted this system, but {error}"),
    })?;
    Ok(assemble(stack, parts, facts))
}

fn assemble(stack: &dyn LiveStack, parts: Parts, facts: &BootFacts) -> Live {
    let Parts {
        upper_kind,
        upper,
        layers,
        medium,
    } = parts;
    let persistence = match &upper {
        Upper::Directory(directory) => directory.persistence(),
        Upper::Snapshot(snapshot) => snapshot.persistence(),
        Upper::Unreachable(_) => Persistence::Unknown,
    };
    let carried = medium
        .into_iter()
        .chain(layers.iter().filter_map(Layer::device));
    Live {
        stack: stack.stack(),
        upper_kind,
        upper,
        base: layers::identity(&layers),
        persistence,
        boot_medium: carriers::of(carried),
        layers,
        asked_to_keep: stack.asked_to_keep(facts),
    }
}
