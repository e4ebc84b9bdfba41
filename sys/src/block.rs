//! Block devices as open descriptors with an identity.
//!
//! A device is opened once and from then on known by its descriptor: names such as `/dev/sda` are
//! given to another medium as soon as one is pulled. Whoever inspected a device keeps its
//! [`Identity`] and lets [`BlockDevice::verify`] compare it before the first write.

mod lock;
mod partitions;
mod sysfs;
mod wipe;

use std::{
    fmt,
    ops::Range,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, fstat, fsync, ioctl_blksszget, open},
    io::{Errno, pread},
};

use crate::{DevNum, Error, Result, error::Context, ioctl};

pub use lock::DiskLock;
pub(crate) use lock::lock;
pub use partitions::PartitionExtent;
pub use sysfs::{disk_sequence, node_of, sectors_written, whole_disk_of};

/// How a device is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading.
    Read,
    /// For reading and writing, beside other users.
    Write,
    /// For reading, with `O_EXCL` as [`Access::Exclusive`]. udev looks at a device again when one who
    /// could write closes it, and makes the kernel read the partition table again; this passes
    /// unnoticed.
    Claim,
    /// For reading and writing with `O_EXCL`: fails with `EBUSY` while the device is mounted, used
    /// as swap or held by another device, and keeps it from becoming so. Tools such as `mkfs`
    /// claim the device in the same way, so [`BlockDevice::share`] it before running them.
    Exclusive,
}

/// What makes a medium the same medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Sequence number of the disk: each insertion of a medium gets a new one (Linux 5.15).
    pub diskseq: u64,
    /// Device number; tells a partition from its disk.
    pub devnum: DevNum,
    /// Size in bytes.
    pub size: u64,
}

/// An open block device.
pub struct BlockDevice {
    fd: OwnedFd,
    node: PathBuf,
    identity: Identity,
}

impl BlockDevice {
    /// Opens the block device at `node`.
    ///
    /// Anything that is not a block device is refused without waiting for it. The error of an
    /// exclusive open on a device in use has [`errno`](Error::errno) `EBUSY`.
    pub fn open(node: &Path, access: Access) -> Result<Self> {
        let opened = open(node, access.flags(), Mode::empty());
        let fd = opened.during(|| format!("open {}", node.display()))?;
        let identity = identity_of(fd.as_fd(), node)?;
        Ok(Self {
            fd,
            node: node.to_owned(),
            identity,
        })
    }

    /// Which medium this is; read once, when it was opened.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The node by which it was opened; only for messages.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// Compares with an earlier inspection; [`Error::DeviceChanged`] says exactly what differs.
    pub fn verify(&self, expected: &Identity) -> Result<()> {
        let now = identity_of(self.fd.as_fd(), &self.node)?;
        match difference(expected, &now) {
            None => Ok(()),
            Some(difference) => Err(Error::DeviceChanged {
                device: self.node.clone(),
                difference,
            }),
        }
    }

    /// Gives up an exclusive claim but keeps the very same device open, for `access`.
    pub fn share(self, access: Access) -> Result<Self> {
        let shared = Self::open(&self.proc_path(), access)?;
        shared.verify(&self.identity)?;
        Ok(Self {
            node: self.node,
            ..shared
        })
    }

    /// Keeps udev and other well-behaved programs off the whole disk that carries this device.
    ///
    /// Waits up to ten seconds for the present holder, then fails with [`Error::Locked`].
    pub fn lock_whole_disk(&self) -> Result<DiskLock> {
        lock::whole_disk(&self.identity)
    }

    /// Logical sector size in bytes.
    pub fn sector_size(&self) -> Result<u32> {
        ioctl_blksszget(&self.fd).during(|| self.what("ask the sector size of"))
    }

    /// Whether the device refuses writes, by a switch on the stick for example.
    pub fn read_only(&self) -> Result<bool> {
        ioctl::read_only(self.fd.as_fd()).during(|| self.what("ask for write protection of"))
    }

    /// Up to `length` bytes from `start`, fewer only at the end of the device.
    pub fn read_at(&self, start: u64, length: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let mut filled = 0;
        while filled < bytes.len() {
            match pread(&self.fd, &mut bytes[filled..], start + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).during(|| self.what("read")),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Overwrites everything by which a program recognises the old content. Durable on return.
    pub fn wipe_signatures(&self) -> Result<()> {
        for place in self.signature_places()? {
            self.zero(place)?;
        }
        self.fsync()
    }

    /// Where signatures are: the first MiB of every partition the kernel knows, and the first and
    /// the last MiB of the device.
    pub fn signature_places(&self) -> Result<Vec<Range<u64>>> {
        wipe::places(self)
    }

    /// Fills a part of the device with zeros, which are durable after [`BlockDevice::fsync`].
    pub fn zero(&self, place: Range<u64>) -> Result<()> {
        wipe::zero(self, place)
    }

    /// The partitions the kernel knows on this disk, in order of their numbers.
    pub fn partitions(&self) -> Result<Vec<PartitionExtent>> {
        partitions::known(self.identity.devnum)
    }

    /// Makes the kernel know exactly `wanted`: partitions that differ are deleted, missing ones
    /// added. Partitions that stay as they are may be in use. Needs no parser in the kernel.
    ///
    /// To be called under [`BlockDevice::lock_whole_disk`]. Waits up to five seconds for programs
    /// that only look at a partition which has to go, then fails with `EBUSY`.
    pub fn tell_partitions(&self, wanted: &[PartitionExtent]) -> Result<()> {
        partitions::tell(self, wanted, partitions::PATIENCE)
    }

    /// The node of partition `number` of this disk.
    pub fn partition_node(&self, number: u32) -> Result<PathBuf> {
        partitions::node(self.identity.devnum, number)
    }

    /// Waits until everything written is on the medium.
    pub fn fsync(&self) -> Result<()> {
        fsync(&self.fd).during(|| self.what("flush"))
    }

    /// The open descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// A path that leads a tool to this very device, whatever its name means by now.
    ///
    /// Valid in this process, and in a child that was given the descriptor by
    /// [`Tool::pass_fd`](crate::tool::Tool::pass_fd).
    pub fn proc_path(&self) -> PathBuf {
        proc_path(self.fd.as_fd())
    }

    fn what(&self, operation: &str) -> String {
        format!("{operation} {}", self.node.display())
    }
}

impl AsFd for BlockDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}

impl fmt::Debug for BlockDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockDevice")
            .field("node", &self.node)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// `O_NONBLOCK` keeps a FIFO that stands in for a device from blocking us.
    fn flags(self) -> OFlags {
        let common = OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        match self {
            Self::Read => common | OFlags::RDONLY,
            Self::Write => common | OFlags::RDWR,
            Self::Claim => common | OFlags::RDONLY | OFlags::EXCL,
            Self::Exclusive => common | OFlags::RDWR | OFlags::EXCL,
        }
    }
}

/// The path of an open descriptor, for tools that insist on a name.
pub(crate) fn proc_path(fd: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

fn identity_of(fd: BorrowedFd<'_>, node: &Path) -> Result<Identity> {
    let what = || format!("identify {}", node.display());
    let stat = fstat(fd).during(what)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::BlockDevice {
        return Err(Error::invalid(
            node.display().to_string(),
            "not a block device",
        ));
    }
    Ok(Identity {
        diskseq: ioctl::disk_sequence(fd).during(what)?,
        devnum: DevNum::new(stat.st_rdev),
        size: ioctl::size(fd).during(what)?,
    })
}

fn difference(before: &Identity, now: &Identity) -> Option<String> {
    let mut differences = Vec::new();
    if before.diskseq != now.diskseq {
        differences.push(format!(
            "disk sequence {} is now {}",
            before.diskseq, now.diskseq
        ));
    }
    if before.devnum != now.devnum {
        differences.push(format!(
            "device number {} is now {}",
            before.devnum, now.devnum
        ));
    }
    if before.size != now.size {
        differences.push(format!("size {} is now {} bytes", before.size, now.size));
    }
    (!differences.is_empty()).then(|| differences.join(", "))
}

#[cfg(test)]
mod tests;
