//! A loop device over a file that this program serves itself, so that it can fail or hang.

use std::{
    ffi::OsStr,
    fs::File,
    os::fd::AsFd,
    path::Path,
    time::{Duration, SystemTime},
};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use rustix::mount::{UnmountFlags, unmount};
use wendy_sys::loopdev::{Loop, LoopOptions};

const FILE: INodeNo = INodeNo(2);

/// What is in the file.
pub trait Content: Send + Sync + 'static {
    /// How many bytes.
    fn size(&self) -> u64;

    /// The bytes there, fewer at the end.
    fn read(&self, offset: u64, size: u64) -> Result<Vec<u8>, Errno>;

    /// Keeps these bytes.
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno>;
}

/// A device that is served until it is dropped.
pub struct Served {
    device: Loop,
    _session: BackgroundSession,
}

impl Served {
    /// Its node.
    pub fn node(&self) -> &Path {
        self.device.node()
    }
}

/// Shows the content as a device.
pub fn serve(content: impl Content, options: LoopOptions) -> Served {
    let place = tempfile::tempdir().unwrap();
    let session = fuser::spawn_mount(Server(content), place.path(), &Config::default()).unwrap();
    let file = File::options()
        .read(true)
        .write(!options.read_only)
        .open(place.path().join("disk"))
        .unwrap();
    // Who has it open keeps it; nobody else needs to see it.
    unmount(place.path(), UnmountFlags::DETACH).unwrap();
    Served {
        device: Loop::attach(file.as_fd(), options).unwrap(),
        _session: session,
    }
}

/// A directory with one file, whatever it is called.
struct Server<C>(C);

impl<C: Content> Server<C> {
    fn attributes(&self, ino: INodeNo) -> FileAttr {
        let (kind, size) = match ino {
            FILE => (FileType::RegularFile, self.0.size()),
            _ => (FileType::Directory, 0),
        };
        let long_ago = SystemTime::UNIX_EPOCH;
        FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: long_ago,
            mtime: long_ago,
            ctime: long_ago,
            crtime: long_ago,
            kind,
            perm: 0o700,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl<C: Content> Filesystem for Server<C> {
    fn lookup(&self, _: &Request, _: INodeNo, _name: &OsStr, reply: ReplyEntry) {
        reply.entry(&Duration::MAX, &self.attributes(FILE), Generation(0));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&Duration::MAX, &self.attributes(ino));
    }

    /// The kernel must not answer out of its memory.
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.0.read(offset, size.into()) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.0.write(offset, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap()),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }
}
