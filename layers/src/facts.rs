//! What the kernel says about one entry, in the form the copier asks for it.

use std::ffi::CStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fd::BorrowedFd;
use rustix::fs::{
    AtFlags, FileType, StatxAttributes, StatxFlags, StatxTimestamp, Timespec, Timestamps, statx,
};
use rustix::io::Errno;

/// The inode flags that are part of a faithful copy.
const KEPT_FLAGS: StatxAttributes = StatxAttributes::IMMUTABLE
    .union(StatxAttributes::APPEND)
    .union(StatxAttributes::NODUMP);

/// Kernels stamp ctime from a clock that ticks every 1 to 10 ms. A change this soon after another
/// may not show in ctime.
const TICK: Duration = Duration::from_millis(20);

/// One entry as `statx` describes it.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub kind: FileType,
    /// Permission bits with set-id and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub dev: (u32, u32),
    pub ino: u64,
    pub nlink: u32,
    pub size: u64,
    /// Bytes allocated.
    pub allocated: u64,
    pub rdev: (u32, u32),
    pub atime: Timespec,
    pub mtime: Timespec,
    pub ctime: Timespec,
    /// The subset of inode flags that a copy keeps.
    pub flags: StatxAttributes,
    /// Whether any change after this observation is sure to alter ctime.
    pub settled: bool,
}

impl Facts {
    /// The entry `name` of the directory `dir`, links not followed.
    pub fn at(dir: BorrowedFd<'_>, name: &CStr) -> Result<Self, Errno> {
        Self::query(dir, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The entry behind an open descriptor.
    pub fn of(fd: BorrowedFd<'_>) -> Result<Self, Errno> {
        Self::query(fd, c"", AtFlags::EMPTY_PATH)
    }

    fn query(dir: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> Result<Self, Errno> {
        let now = SystemTime::now();
        let stat = statx(
            dir,
            name,
            flags | AtFlags::NO_AUTOMOUNT,
            StatxFlags::BASIC_STATS,
        )?;
        let mode = u32::from(stat.stx_mode);
        Ok(Self {
            kind: FileType::from_raw_mode(mode),
            mode: mode & 0o7777,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            dev: (stat.stx_dev_major, stat.stx_dev_minor),
            ino: stat.stx_ino,
            nlink: stat.stx_nlink,
            size: stat.stx_size,
            allocated: stat.stx_blocks * 512,
            rdev: (stat.stx_rdev_major, stat.stx_rdev_minor),
            atime: timespec(stat.stx_atime),
            mtime: timespec(stat.stx_mtime),
            ctime: timespec(stat.stx_ctime),
            flags: stat.stx_attributes & KEPT_FLAGS,
            settled: is_older_than_a_tick(timespec(stat.stx_ctime), now),
        })
    }

    /// Whether the last change is sure to have been before `then`.
    pub fn changed_before(&self, then: SystemTime) -> bool {
        is_older_than_a_tick(self.ctime, then)
    }

    pub fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }

    pub fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    /// Whether the entry is one of several names of its inode.
    pub fn is_linked(&self) -> bool {
        self.nlink > 1 && !self.is_dir()
    }

    /// Bytes of data: the size of a regular file less its holes.
    pub fn data(&self) -> u64 {
        if self.is_file() {
            self.size.min(self.allocated)
        } else {
            0
        }
    }

    /// Whether the file has fewer blocks than bytes.
    pub fn is_sparse(&self) -> bool {
        self.allocated < self.size
    }

    /// Whether `copy` looks from outside like a finished copy of this entry.
    pub fn looks_like(&self, copy: &Self) -> bool {
        self.kind == copy.kind
            && (self.mode, self.uid, self.gid) == (copy.mode, copy.uid, copy.gid)
            && (self.size == copy.size || self.is_dir())
            && self.rdev == copy.rdev
            && self.flags == copy.flags
            && self.mtime.tv_sec == copy.mtime.tv_sec
            // Inodes of 128 bytes keep whole seconds only.
            && (self.mtime.tv_nsec == copy.mtime.tv_nsec || copy.mtime.tv_nsec == 0)
    }

    /// Access and modification time as `utimensat` takes them.
    pub fn times(&self) -> Timestamps {
        Timestamps {
            last_access: self.atime,
            last_modification: self.mtime,
        }
    }
}

/// Whether a change at `ctime` was at least a tick before `then`.
fn is_older_than_a_tick(ctime: Timespec, then: SystemTime) -> bool {
    let secs = u64::try_from(ctime.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(ctime.tv_nsec).unwrap_or(0);
    let changed = UNIX_EPOCH + Duration::new(secs, nanos);
    then.duration_since(changed).is_ok_and(|age| age > TICK)
}

fn timespec(stamp: StatxTimestamp) -> Timespec {
    Timespec {
        tv_sec: stamp.tv_sec,
        tv_nsec: stamp.tv_nsec.into(),
    }
}
