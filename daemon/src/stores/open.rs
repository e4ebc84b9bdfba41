//! Opening a store: a private mount of its filesystem, through an image file where it lies in one.

use std::{
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
};

use rustix::fs::fstat;
use wendy_store::{StoreId, StoreRecord};
use wendy_sys::{
    DevNum,
    block::{BlockDevice, Identity},
    mount::{self, DetachedMount, MountFlags, Space},
};

use super::{
    attach::{self, Image},
    detour::{self, Detour},
    losses::Losses,
    records,
};
use crate::error::{During, Error, Result, os};

const OPENING: &str = "opening the store";

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
    _detour: Option<Detour>,
    device: BlockDevice,
    losses: Losses,
}

impl OpenStore {
    /// As [`OpenStore::open_noting`], for one who opens it once only.
    ///
    /// # Errors
    /// The same.
    pub fn open(location: Location) -> Result<OpenStore> {
        OpenStore::open_noting(location, Losses::default())
    }

    /// Opens the store at `location`, to read and to write. What cannot be written to it, or could
    /// not be before it was opened, is noted among the `losses`.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Changed`], [`Error::Busy`] while somebody else works on it,
    /// [`Error::ReadOnly`], [`Error::Corrupt`].
    pub fn open_noting(location: Location, losses: Losses) -> Result<OpenStore> {
        let device = attach::open_device(&location)?;
        let store = OpenStore::mount(device, location, losses)?;
        // Reports errors of the past, which nobody has asked for yet, so that later calls report
        // those of what we write.
        if !store.is_read_only()?
            && let Err(error) = store.sync()
        {
            tracing::warn!(%error, "earlier writes to the store had failed");
        }
        Ok(store)
    }

    fn mount(device: BlockDevice, location: Location, losses: Losses) -> Result<OpenStore> {
        let name = location.name.as_str();
        let read_only = device.read_only().during(OPENING)?;
        let flags = if read_only {
            MountFlags::UNTRUSTED
        } else {
            MountFlags::STORE
        };
        let detour = detour::around(&device, read_only).during(OPENING)?;
        let outer = match &detour {
            Some(detour) => attach::mount_loop(&location.fs_type, &detour.attached, flags, name)?,
            None => attach::mount_device(&location.fs_type, &device, flags, name)?,
        };
        let fallback = StoreId::derived(&location.fs_uuid);
        let record = records::read_store(outer.as_fd(), fallback, name)?;
        let (root, record, image) = match record.image.clone() {
            None => (outer, record, None),
            Some(file) => {
                let (root, image) = attach::open_image(outer, &file, flags, name)?;
                let record = records::read_store(root.as_fd(), fallback, name)?;
                (root, record, Some(image))
            }
        };
        Ok(OpenStore {
            root,
            record,
            image,
            location,
            _detour: detour,
            device,
            losses,
        })
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
        let what = "writing everything to the medium";
        self.losses.sync(&self.root).during(what)?;
        match &self.image {
            None => Ok(()),
            Some(image) => self.losses.sync(&image.outer).during(what),
        }
    }

    /// What is known to be lost, here and elsewhere.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Refuses a store of which something is known to be lost that was written to it.
    ///
    /// # Errors
    /// [`Error::Corrupt`], or of the kernel.
    pub fn check_nothing_lost(&self) -> Result<()> {
        let outer = self.image.as_ref().map(|image| image.outer.as_fd());
        for filesystem in [Some(self.root()), outer].into_iter().flatten() {
            if let Some(loss) = self.losses.of(filesystem)? {
                return Err(Error::Corrupt {
                    what: self.location.name.clone(),
                    why: format!(
                        "not all that was written to it is there ({loss}); save to another one"
                    ),
                });
            }
        }
        Ok(())
    }

    /// Refuses what must not be written to.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Failing`] and [`Error::NewerFormat`].
    pub fn check_writable(&self) -> Result<()> {
        let name = format!("the store {:?}", self.record.name.as_str());
        records::check_format(self.record.format, &name)?;
        match self.is_read_only()? {
            true if self.device.read_only().during(OPENING)? => Err(Error::ReadOnly(name)),
            true => Err(Error::Failing(name)),
            false => Ok(()),
        }
    }

    fn is_read_only(&self) -> Result<bool> {
        mount::is_read_only(&self.root)
            .map_err(os(OPENING))
            .during(OPENING)
    }
}
