//! Opening a store: a private mount of its filesystem, through an image file where it lies in one.

use std::{
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
};

use rustix::fs::{FlockOperation, OFlags, StatVfsMountFlags, flock, fstat, fstatvfs};
use wendy_store::{StoreId, StoreRecord};
use wendy_sys::{
    DevNum, Errno,
    block::{Access, BlockDevice, Identity},
    dir,
    loopdev::{Loop, LoopOptions},
    mount::{self, DetachedMount, MountFlags, Space},
};

use super::{detour, records};
use crate::{
    error::{During, Error, Result, os},
    patience::{FOR_DEVICE, FOR_LOCK, patiently},
};

/// Where a store is.
#[derive(Debug, Clone)]
pub struct Location {
    /// Node of the device, by which it is opened once.
    pub node: PathBuf,
    /// Which medium it must be.
    pub identity: Identity,
    /// Type of the filesystem on the device, as the kernel names it.
    pub fs_type: String,
    /// UUID of that filesystem.
    pub fs_uuid: String,
    /// What people call the store.
    pub name: String,
}

/// A store that nobody else of us works on. Closing it unmounts it.
#[derive(Debug)]
pub struct OpenStore {
    root: DetachedMount,
    record: StoreRecord,
    location: Location,
    // Closed in this order, after the root: each is held by the one before it.
    image: Option<Image>,
    _detour: Option<Loop>,
    device: BlockDevice,
    /// How writes to it had failed before it was opened: the kernel tells that once (errseq).
    lost: Option<String>,
}

/// The image file that a store lies in.
#[derive(Debug)]
struct Image {
    _attached: Loop,
    outer: DetachedMount,
}

impl OpenStore {
    /// Opens the store at `location`, to read and to write.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Changed`], [`Error::Busy`] while somebody else works on it,
    /// [`Error::ReadOnly`], [`Error::Corrupt`].
    pub fn open(location: Location) -> Result<OpenStore> {
        let device = open_device(&location)?;
        let name = location.name.as_str();
        let read_only = device.read_only().during("opening the store")?;
        let flags = if read_only {
            MountFlags::UNTRUSTED
        } else {
            MountFlags::STORE
        };
        let detour = detour::around(&device, read_only).during("opening the store")?;
        let outer = match &detour {
            Some(attached) => mount_loop(&location.fs_type, attached, flags, name)?,
            None => mount_device(&location.fs_type, &device, flags, name)?,
        };
        let fallback = StoreId::derived(&location.fs_uuid);
        let record = records::read_store(outer.as_fd(), fallback, name)?;
        let (root, record, image) = match record.image.clone() {
            None => (outer, record, None),
            Some(file) => {
                let (root, image) = open_image(outer, &file, flags, name)?;
                let record = records::read_store(root.as_fd(), fallback, name)?;
                (root, record, Some(image))
            }
        };
        let mut store = OpenStore {
            root,
            record,
            image,
            location,
            _detour: detour,
            device,
            lost: None,
        };
        // Reports errors of the past, which nobody has asked for yet, so that later calls report
        // those of what we write.
        if let Err(error) = store.sync() {
            tracing::warn!(%error, "earlier writes to the store had failed");
            store.lost = Some(error.to_string());
        }
        Ok(store)
    }

    /// The root directory.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// What the store says about itself.
    pub fn record(&self) -> &StoreRecord {
        &self.record
    }

    /// All markers of the store and the directories they stand in: its own, and the one beside its
    /// image file.
    ///
    /// # Errors
    /// As [`records::read_store`].
    pub fn markers(&self) -> Result<Vec<(BorrowedFd<'_>, StoreRecord)>> {
        let mut markers = vec![(self.root(), self.record.clone())];
        if let Some(image) = &self.image {
            let outer = image.outer.as_fd();
            markers.push((
                outer,
                records::read_store(outer, self.record.id, &self.location.name)?,
            ));
        }
        Ok(markers)
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Whether it lies in an image file.
    pub fn in_image(&self) -> bool {
        self.image.is_some()
    }

    /// Room in it.
    ///
    /// # Errors
    /// Of the kernel.
    pub fn space(&self) -> Result<Space> {
        mount::space(&self.root).during("asking for free space")
    }

    /// The device number of its filesystem, as `stat` of any file in it says.
    ///
    /// # Errors
    /// Of the kernel.
    pub fn devnum(&self) -> Result<DevNum> {
        let stat = fstat(&self.root)
            .map_err(os("looking at the store"))
            .during("looking at the store")?;
        Ok(DevNum::new(stat.st_dev))
    }

    /// Waits until everything written is on the medium, and reports what could not be written.
    ///
    /// # Errors
    /// Every write that failed since the store was opened.
    pub fn sync(&self) -> Result<()> {
        mount::syncfs(&self.root).during("writing everything to the medium")?;
        match &self.image {
            None => Ok(()),
            Some(image) => mount::syncfs(&image.outer).during("writing everything to the medium"),
        }
    }

    /// Refuses a store of which something is lost that was written before it was opened.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn check_nothing_lost(&self) -> Result<()> {
        self.lost.as_ref().map_or(Ok(()), |error| {
            Err(Error::Corrupt {
                what: self.location.name.clone(),
                why: format!(
                    "not all that was written to it is there ({error}); save to another one"
                ),
            })
        })
    }

    /// Refuses what must not be written to.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Failing`] and [`Error::NewerFormat`].
    pub fn check_writable(&self) -> Result<()> {
        let name = format!("the store {:?}", self.record.name.as_str());
        records::check_format(self.record.format, &name)?;
        let what = "opening the store for writing";
        let stat = fstatvfs(&self.root).map_err(os(what)).during(what)?;
        match stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
            true if self.device.read_only().during(what)? => Err(Error::ReadOnly(name)),
            true => Err(Error::Failing(name)),
            false => Ok(()),
        }
    }
}

/// Opens and locks the device. The lock tells other programs of ours; within this daemon jobs that
/// share a disk are kept apart before.
fn open_device(location: &Location) -> Result<BlockDevice> {
    let name = location.name.as_str();
    let device =
        BlockDevice::open(&location.node, Access::Read).map_err(|error| match error.errno() {
            Some(Errno::NOENT | Errno::NXIO | Errno::NODEV) => Error::Gone(name.to_owned()),
            _ => Error::System {
                what: "opening the device".to_owned(),
                source: error,
            },
        })?;
    device
        .verify(&location.identity)
        .map_err(|_| Error::Changed(name.to_owned()))?;
    lock(&device, name)?;
    Ok(device)
}

fn lock(device: &BlockDevice, name: &str) -> Result<()> {
    let what = "locking the store";
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    match patiently(FOR_LOCK, || flock(device, exclusive).map_err(os(what))) {
        Err(error) if error.errno() == Some(Errno::AGAIN) => Err(Error::Busy(name.to_owned())),
        other => other.during(what),
    }
}

fn mount_loop(
    fs_type: &str,
    attached: &Loop,
    flags: MountFlags,
    name: &str,
) -> Result<DetachedMount> {
    let device = BlockDevice::open(attached.node(), Access::Read).during("mounting the store")?;
    mount_device(fs_type, &device, flags, name)
}

fn mount_device(
    fs_type: &str,
    device: &BlockDevice,
    flags: MountFlags,
    name: &str,
) -> Result<DetachedMount> {
    patiently(FOR_DEVICE, || mount::of_device(fs_type, device, &[], flags)).map_err(|error| {
        match error.errno() {
            Some(Errno::BUSY) => Error::InUse {
                what: name.to_owned(),
                by: "a mount of another kind".to_owned(),
            },
            Some(Errno::INVAL | Errno::UCLEAN) => Error::Corrupt {
                what: name.to_owned(),
                why: error.to_string(),
            },
            _ => Error::System {
                what: "mounting the store".to_owned(),
                source: error,
            },
        }
    })
}

fn open_image(
    outer: DetachedMount,
    file: &str,
    flags: MountFlags,
    name: &str,
) -> Result<(DetachedMount, Image)> {
    let access = if flags.read_only {
        OFlags::RDONLY
    } else {
        OFlags::RDWR
    };
    let backing = dir::open_beneath(&outer, file, access).map_err(|error| match error.errno() {
        Some(Errno::NOENT) => Error::NotFound(format!("the image file of {name}")),
        _ => Error::System {
            what: "opening the image file".to_owned(),
            source: error,
        },
    })?;
    // Where the running system has the image attached, that device is used: two over one file
    // would be two filesystems that know nothing of each other.
    let options = LoopOptions {
        read_only: flags.read_only,
        // What is on it is shown already, with the stick.
        locked: true,
        ..LoopOptions::default()
    };
    let attached = match Loop::showing(backing.as_fd()).during("looking for the image")? {
        Some(attached) => attached,
        None => Loop::attach(backing.as_fd(), options).during("opening the image file")?,
    };
    let root = mount_loop("ext4", &attached, flags, name)?;
    Ok((
        root,
        Image {
            _attached: attached,
            outer,
        },
    ))
}
