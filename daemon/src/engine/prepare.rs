//! Turning a device into a store.
//!
//! Inspect, plan, agree, inspect again, then one step after the other: what was there is wiped
//! first, the marker that makes a store of it is written last. Killed at any point, the device
//! never looks like a good store, and preparing it again works.
//!
//! A device is held by an open descriptor whose identity is verified before the first write, under
//! the lock that keeps udev and partitioning tools off the whole disk.

mod disk;
mod format;
mod found;
mod gpt;
mod image;
mod inspect;
mod iso9660;
mod partitioning;
mod place;
mod plan;
mod request;
mod signature;
mod table;
mod used;
mod wipe;
mod writing;

use std::path::PathBuf;

use wendy_store::{Stack, StoreId};
use wendy_sys::{
    Cancel, Errno,
    block::{Access, BlockDevice, Identity},
};

use super::{During, Error, Result, Watch};
use crate::{
    jobs::Phase,
    patience::{FOR_DEVICE, patiently},
};

pub use found::{Found, Piece};
pub use inspect::Known;
pub use place::{MIN_STORE, Place};
pub use plan::PreparePlan;
pub use request::{Mode, PrepareRequest};

/// A device that is to become a store.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its node, by which it is opened once.
    pub node: PathBuf,
    /// Which medium it must be.
    pub identity: Identity,
    /// What is known about it already.
    pub known: Known,
    /// The running live stack.
    pub stack: Option<Stack>,
    /// The running system was started from it, so that it stays in use. Nothing may be done to it
    /// but to add what has no place yet.
    pub boot_medium: bool,
}

/// Says what [`prepare`] would do. Writes nothing.
///
/// # Errors
/// Every reason why it cannot be done that can be known before.
pub fn plan(target: &Target, request: &PrepareRequest, cancel: &Cancel) -> Result<PreparePlan> {
    let held = target.open_to_look(request.mode)?;
    let found = target.find(&held, request.mode, cancel)?;
    target.plan(&found, request)
}

/// Carries out the plan `agreed`.
///
/// # Errors
/// [`Error::Changed`] if the plan would be another one by now; what fails on the way leaves no
/// store behind.
pub fn prepare(
    target: &Target,
    request: &PrepareRequest,
    agreed: &PreparePlan,
    watch: &dyn Watch,
) -> Result<Prepared> {
    watch.phase(Phase::Inspecting);
    let held = target.open(request.mode)?;
    let lock = held.lock_whole_disk().during("locking the disk")?;
    let found = target.find(&held, request.mode, watch.cancel())?;
    if target.plan(&found, request)? != *agreed {
        return Err(Error::Changed(target.known.device.clone()));
    }
    let store = StoreId::random();
    let work = Work {
        plan: agreed,
        found: &found,
        store,
        watch,
    };
    let partition = match agreed.mode {
        Mode::Device => Some(disk::whole_device(&work, held)?),
        Mode::Partition => Some(disk::partition(&work, held, lock.disk())?),
        Mode::FreeSpace => Some(disk::free_space(&work, held)?),
        Mode::Loopback => image::loopback(&work, &held).map(|()| None)?,
    };
    Ok(Prepared { store, partition })
}

/// A store that was just made.
///
/// udev reads the partition table again when the disk has been written to. The kernel then removes
/// and adds all partitions, unless one is open: keep this until everybody has seen the store.
#[derive(Debug)]
pub struct Prepared {
    /// Its identity.
    pub store: StoreId,
    /// Its partition, if it is in one.
    pub partition: Option<BlockDevice>,
}

/// All that the steps share.
struct Work<'a> {
    plan: &'a PreparePlan,
    found: &'a Found,
    store: StoreId,
    watch: &'a dyn Watch,
}

impl Target {
    /// Opens the device, which nobody else may use; nor can anybody begin to, unless it is given up
    /// to be mounted by ourselves. Only the boot medium cannot be opened exclusively.
    fn open(&self, mode: Mode) -> Result<BlockDevice> {
        if self.boot_medium {
            return self.open_with(Access::Write);
        }
        let held = self.open_with(Access::Exclusive)?;
        if mode == Mode::Loopback {
            held.share(Access::Write).during("opening the device")
        } else {
            Ok(held)
        }
    }

    /// As [`Target::open`], but nothing will be written, so udev need not look at it again: what is
    /// planned now must be the same when it is planned again in a moment. Whether others use the boot
    /// medium is known.
    fn open_to_look(&self, mode: Mode) -> Result<BlockDevice> {
        if self.boot_medium {
            return self.open_with(Access::Read);
        }
        let held = self.open_with(Access::Claim)?;
        if mode == Mode::Loopback {
            held.share(Access::Read).during("opening the device")
        } else {
            Ok(held)
        }
    }

    fn open_with(&self, access: Access) -> Result<BlockDevice> {
        let name = &self.known.device;
        let opened = patiently(FOR_DEVICE, || BlockDevice::open(&self.node, access));
        let held = opened.map_err(|error| match error.errno() {
            Some(Errno::BUSY) => Error::InUse {
                what: name.clone(),
                by: "another program or a mount".to_owned(),
            },
            Some(Errno::NOENT | Errno::NXIO | Errno::NODEV) => Error::Gone(name.clone()),
            Some(Errno::ROFS | Errno::ACCESS) => Error::ReadOnly(name.clone()),
            _ => Error::System {
                what: "opening the device".to_owned(),
                source: error,
            },
        })?;
        held.verify(&self.identity)
            .map_err(|_| Error::Changed(name.clone()))?;
        Ok(held)
    }

    fn plan(&self, found: &Found, request: &PrepareRequest) -> Result<PreparePlan> {
        if self.boot_medium && request.mode != Mode::FreeSpace {
            return Err(Error::BootMedium(self.known.device.clone()));
        }
        PreparePlan::make(found, self.stack, request)
    }

    fn find(&self, held: &BlockDevice, mode: Mode, cancel: &Cancel) -> Result<Found> {
        let mut found = inspect::inspect(held, &self.known, cancel)?;
        if mode == Mode::Loopback {
            found.room = image::room(&found, held, place::image_name(self.stack))?;
        }
        Ok(found)
    }
}
