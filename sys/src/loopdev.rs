//! Loop devices: files as block devices.
//!
//! Every loop device is attached with `LO_FLAGS_AUTOCLEAR`, so the kernel detaches it when its
//! last user is gone, also when this process is killed. None can leak.

use std::{
    ffi::OsString,
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Path, PathBuf},
};

use linux_raw_sys::loop_device::{
    LO_FLAGS_AUTOCLEAR, LO_FLAGS_DIRECT_IO, LO_FLAGS_PARTSCAN, LO_FLAGS_READ_ONLY, loop_config,
    loop_info64,
};
use rustix::{
    fs::{Mode, OFlags, fstat, open},
    io::Errno,
};

use crate::{
    DevNum, Error, Result,
    block::{lock, node_of},
    error::Context,
    ioctl,
};

const CONTROL: &str = "/dev/loop-control";

/// How often another program may snatch the free device away before we give up.
const ATTEMPTS: u32 = 64;

/// How a loop device is set up; the default is a writable device over the whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopOptions {
    /// Refuse writes.
    pub read_only: bool,
    /// Let the kernel know partitions on it.
    pub partscan: bool,
    /// Bypass the page cache of the backing file, where its filesystem can.
    pub direct_io: bool,
    /// First byte of the backing file to show.
    pub offset: u64,
    /// How many bytes to show; 0 means up to the end of the file.
    pub size_limit: u64,
    /// Logical sector size in bytes; 0 leaves it to the kernel.
    pub sector_size: u32,
    /// Lock the device, from before it shows anything until the [`Loop`] is dropped: udev and all who
    /// respect such locks leave alone what is on it (systemd, `docs/BLOCK_DEVICE_LOCKING.md`).
    pub locked: bool,
}

/// An attached loop device. It is detached when this is dropped and nobody else uses it.
#[derive(Debug)]
pub struct Loop {
    fd: OwnedFd,
    node: PathBuf,
}

impl Loop {
    /// Attaches the file `backing` to a free loop device.
    pub fn attach(backing: BorrowedFd<'_>, options: LoopOptions) -> Result<Self> {
        let control = open_node(Path::new(CONTROL), OFlags::RDWR)?;
        let config = configuration(backing, options)?;
        let mode = if options.read_only {
            OFlags::RDONLY
        } else {
            OFlags::RDWR
        };
        let mut taken = Error::os("find a free loop device", Errno::BUSY);
        for _ in 0..ATTEMPTS {
            let number = ioctl::loop_get_free(control.as_fd())
                .during(|| "find a free loop device".into())?;
            let node = PathBuf::from(format!("/dev/loop{number}"));
            let attached = open_node(&node, mode).and_then(|fd| {
                if options.locked {
                    lock(fd.as_fd(), &node)?;
                }
                let configured = ioctl::loop_configure(fd.as_fd(), &config);
                configured
                    .during(|| format!("set up {}", node.display()))
                    .map(|()| fd)
            });
            match attached {
                Ok(fd) => return Ok(Self { fd, node }),
                Err(error) if taken_by_another(&error) => taken = error,
                Err(error) => return Err(error),
            }
        }
        Err(taken)
    }

    /// The loop device that shows the file `backing` already, if there is one. It stays attached
    /// while this is held.
    ///
    /// To be asked before attaching a file that holds a filesystem: two devices over one file
    /// would be two filesystems that destroy each other.
    pub fn showing(backing: BorrowedFd<'_>) -> Result<Option<Self>> {
        let what = || "look for the loop device of a file".to_owned();
        let stat = fstat(backing).during(what)?;
        for entry in fs::read_dir("/sys/block").during(what)? {
            let entry = entry.during(what)?;
            if !entry.path().join("loop/backing_file").exists() {
                continue;
            }
            let node = Path::new("/dev").join(entry.file_name());
            // One that is detached at this moment shows nothing any more.
            let Ok(fd) = open_node(&node, OFlags::RDONLY) else {
                continue;
            };
            if ioctl::loop_backing(fd.as_fd()) == Ok((stat.st_dev, stat.st_ino)) {
                return Ok(Some(Self { fd, node }));
            }
        }
        Ok(None)
    }

    /// Puts the file `backing`, of the same size, behind a device that refuses writes, whoever has
    /// it open: for tests, a medium that is exchanged.
    #[cfg(feature = "failpoints")]
    pub fn exchange(&self, backing: BorrowedFd<'_>) -> Result<()> {
        let exchanged = ioctl::loop_exchange(self.fd(), backing);
        exchanged.during(|| format!("exchange the file behind {}", self.node.display()))
    }

    /// The device node, such as `/dev/loop3`.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// The open device.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsFd for Loop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}

/// The file behind the loop device `device`, by the name it had when it was attached.
///
/// The name may lie outside of the root directory of this process, and ends with ` (deleted)` when
/// the file is gone: it tells what the device holds, but is nothing to open.
pub fn backing_file(device: DevNum) -> Result<PathBuf> {
    let path = format!("/sys/dev/block/{device}/loop/backing_file");
    let mut name = fs::read(&path).during(|| format!("read {path}"))?;
    if name.last() == Some(&b'\n') {
        name.pop();
    }
    Ok(PathBuf::from(OsString::from_vec(name)))
}

/// The device of the filesystem that holds the file behind the loop device `device`; its major
/// number is 0 when that filesystem has no block device, such as tmpfs.
pub fn backing_device(device: DevNum) -> Result<DevNum> {
    backing_inode(device).map(|(filesystem, _)| DevNum::new(filesystem))
}

/// Device and number of the file behind the loop device `device`, as `st_dev` and `st_ino` of fstat(2).
///
/// Unlike its [name](backing_file) they are of this very file: whoever attaches one from a mount namespace
/// of their own chooses the name.
pub fn backing_inode(device: DevNum) -> Result<(u64, u64)> {
    let node = node_of(device)?;
    let fd = open_node(&node, OFlags::RDONLY)?;
    ioctl::loop_backing(fd.as_fd()).during(|| format!("ask {} for its file", node.display()))
}

/// Between our asking for a free device and our using it, another program has attached a file to
/// it (`EBUSY`), detached one again (`ENXIO`) or removed the device (`ENOENT`).
fn taken_by_another(error: &Error) -> bool {
    matches!(
        error.errno(),
        Some(Errno::BUSY | Errno::NXIO | Errno::NOENT)
    )
}

fn open_node(node: &Path, mode: OFlags) -> Result<OwnedFd> {
    open(node, mode | OFlags::CLOEXEC, Mode::empty()).during(|| format!("open {}", node.display()))
}

fn configuration(backing: BorrowedFd<'_>, options: LoopOptions) -> Result<loop_config> {
    let flags = [
        (true, LO_FLAGS_AUTOCLEAR),
        (options.read_only, LO_FLAGS_READ_ONLY),
        (options.partscan, LO_FLAGS_PARTSCAN),
        (options.direct_io, LO_FLAGS_DIRECT_IO),
    ];
    let wanted = flags.iter().filter(|(wanted, _)| *wanted);
    let fd = u32::try_from(backing.as_raw_fd())
        .map_err(|_| Error::os("attach a file", io::Error::from(Errno::BADF)))?;
    Ok(loop_config {
        fd,
        block_size: options.sector_size,
        info: loop_info64 {
            lo_device: 0,
            lo_inode: 0,
            lo_rdevice: 0,
            lo_offset: options.offset,
            lo_sizelimit: options.size_limit,
            lo_number: 0,
            lo_encrypt_type: 0,
            lo_encrypt_key_size: 0,
            lo_flags: wanted.fold(0, |flags, (_, flag)| flags | *flag as u32),
            lo_file_name: [0; 64],
            lo_crypt_name: [0; 64],
            lo_encrypt_key: [0; 32],
            lo_init: [0; 2],
        },
        __reserved: [0; 8],
    })
}

#[cfg(test)]
mod tests;
