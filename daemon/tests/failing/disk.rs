//! A disk that fails where the test says: a loop device over a file that this program serves.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyWrite, Request, WriteFlags,
};
use rustix::mount::{UnmountFlags, unmount};
use wendy_sys::loopdev::{Loop, LoopOptions};

/// Unit of what fails, in bytes.
const BLOCK: u64 = 4096;
const FILE: INodeNo = INodeNo(2);

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// No write works any more after so many.
    NoWriteAfter(usize),
    /// This block is never written.
    Unwritable(u64),
    /// This block cannot be read.
    Unreadable(u64),
}

/// What is on a disk. A copy shares what neither has written.
#[derive(Debug, Default)]
pub struct Disk {
    base: Arc<Vec<u8>>,
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone)]
struct State {
    written: HashMap<u64, Vec<u8>>,
    fault: Fault,
    /// First blocks of all writes and reads.
    writes: Vec<u64>,
    reads: Vec<u64>,
}

impl Disk {
    /// A disk with this content, a multiple of 4096 bytes.
    pub fn new(content: Vec<u8>) -> Disk {
        Disk {
            base: Arc::new(content),
            state: Mutex::default(),
        }
    }

    /// A sound disk with the same content.
    pub fn copy(&self) -> Disk {
        let written = self.state().written.clone();
        Disk {
            base: Arc::clone(&self.base),
            state: Mutex::new(State {
                written,
                ..State::default()
            }),
        }
    }

    /// The same disk with something wrong with it.
    pub fn with(self, fault: Fault) -> Disk {
        self.state().fault = fault;
        self
    }

    /// Plugs it in.
    pub fn plug(self) -> Plugged {
        let disk = Arc::new(self);
        let place = tempfile::tempdir().unwrap();
        let server = Server(Arc::clone(&disk));
        let session = fuser::spawn_mount(server, place.path(), &Config::default()).unwrap();
        let file = File::options()
            .read(true)
            .write(true)
            .open(place.path().join("disk"))
            .unwrap();
        // Who has it open keeps it; nobody else needs to see it.
        unmount(place.path(), UnmountFlags::DETACH).unwrap();
        let options = LoopOptions {
            partscan: true,
            ..LoopOptions::default()
        };
        let device = Loop::attach(file.as_fd(), options).unwrap();
        Plugged {
            device,
            disk,
            _session: session,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn block(&self, state: &State, block: u64) -> Vec<u8> {
        let sound = || self.base[part(block * BLOCK)..part((block + 1) * BLOCK)].to_vec();
        state.written.get(&block).cloned().unwrap_or_else(sound)
    }

    fn read(&self, offset: u64, size: u64) -> Result<Vec<u8>, Errno> {
        let mut state = self.state();
        let end = (offset + size).min(self.base.len() as u64);
        let blocks = offset / BLOCK..end.div_ceil(BLOCK);
        state.reads.push(blocks.start);
        if matches!(state.fault, Fault::Unreadable(bad) if blocks.contains(&bad)) {
            return Err(Errno::EIO);
        }
        let skip = part(offset - blocks.start * BLOCK);
        let content: Vec<_> = blocks.map(|block| self.block(&state, block)).collect();
        Ok(content.concat()[skip..][..part(end - offset)].to_vec())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let mut state = self.state();
        let end = offset + data.len() as u64;
        let blocks = offset / BLOCK..end.div_ceil(BLOCK);
        state.writes.push(blocks.start);
        let fails = match state.fault {
            Fault::NoWriteAfter(writes) => state.writes.len() > writes,
            Fault::Unwritable(bad) => blocks.contains(&bad),
            Fault::None | Fault::Unreadable(_) => false,
        };
        if fails {
            return Err(Errno::EIO);
        }
        for block in blocks {
            let mut content = self.block(&state, block);
            let start = block * BLOCK;
            let (from, to) = (offset.max(start), end.min(start + BLOCK));
            content[part(from - start)..part(to - start)]
                .copy_from_slice(&data[part(from - offset)..part(to - offset)]);
            state.written.insert(block, content);
        }
        Ok(())
    }
}

/// A number of bytes as a place in memory.
fn part(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap()
}

/// A disk at work.
pub struct Plugged {
    device: Loop,
    disk: Arc<Disk>,
    _session: BackgroundSession,
}

impl Plugged {
    pub fn node(&self) -> &Path {
        self.device.node()
    }

    /// A sound disk with the same content.
    pub fn copy(&self) -> Disk {
        self.disk.copy()
    }

    /// Pulls it out, mends it, and plugs it in again.
    pub fn mended(self) -> Plugged {
        let disk = self.disk.copy();
        drop(self);
        disk.plug()
    }

    /// First blocks of the writes since it was plugged in, in their order.
    pub fn writes(&self) -> Vec<u64> {
        self.disk.state().writes.clone()
    }

    /// First blocks of the reads since it was plugged in, in their order.
    pub fn reads(&self) -> Vec<u64> {
        self.disk.state().reads.clone()
    }
}

/// Serves a directory with one file, the disk.
struct Server(Arc<Disk>);

impl Server {
    fn file(&self) -> FileAttr {
        let size = self.0.base.len() as u64;
        attributes(FILE, FileType::RegularFile, size)
    }
}

fn attributes(ino: INodeNo, kind: FileType, size: u64) -> FileAttr {
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

impl Filesystem for Server {
    fn lookup(&self, _: &Request, _: INodeNo, _name: &OsStr, reply: ReplyEntry) {
        reply.entry(&Duration::MAX, &self.file(), fuser::Generation(0));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let directory = || attributes(INodeNo::ROOT, FileType::Directory, 0);
        let found = if ino == FILE {
            self.file()
        } else {
            directory()
        };
        reply.attr(&Duration::ZERO, &found);
    }

    /// Nothing is cached: every access comes here.
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
