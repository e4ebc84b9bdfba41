//! A filesystem that only answers, from memory and as cheaply as it can: what FUSE itself costs on this
//! kernel. It checks nothing, stores nothing and promises nothing.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::*;

use crate::Outcome;

/// The kernel may remember everything.
const TTL: Duration = Duration::from_secs(3600);

struct Node {
    attr: FileAttr,
    data: Vec<u8>,
    names: BTreeMap<OsString, INodeNo>,
}

/// The inodes by their numbers.
struct Floor(Mutex<HashMap<INodeNo, Node>>);

/// Shows an empty one at `target` until it is unmounted.
pub fn serve(target: &Path) -> Outcome<()> {
    let root = (INodeNo::ROOT, node(1, FileType::Directory, 0o755));
    let mut config = Config::default();
    config.acl = SessionACL::All;
    let floor = Floor(Mutex::new(HashMap::from([root])));
    let session = Session::new(floor, target, &config)?;
    println!("ready");
    Ok(session.run()?)
}

fn node(ino: u64, kind: FileType, mode: u32) -> Node {
    let (perm, time) = (u16::try_from(mode & 0o7777).unwrap_or(0), UNIX_EPOCH);
    #[rustfmt::skip]
    let attr = FileAttr {
        ino: INodeNo(ino), kind, perm, size: 0, blocks: 0, nlink: 1, uid: 0, gid: 0, rdev: 0, flags: 0,
        atime: time, mtime: time, ctime: time, crtime: time, blksize: 4096,
    };
    let (data, names) = (Vec::new(), BTreeMap::new());
    Node { attr, data, names }
}

impl Floor {
    fn nodes(&self) -> MutexGuard<'_, HashMap<INodeNo, Node>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, req: &Request, dir: INodeNo, name: &OsStr, new: (FileType, u32)) -> FileAttr {
        // The root is 1, and the request's number is never used twice.
        let node = node(req.unique().0 + 1, new.0, new.1);
        let attr = node.attr;
        self.nodes().insert(attr.ino, node);
        self.name(attr.ino, dir, name);
        attr
    }

    fn name(&self, ino: INodeNo, dir: INodeNo, name: &OsStr) {
        if let Some(dir) = self.nodes().get_mut(&dir) {
            dir.names.insert(name.to_owned(), ino);
        }
    }

    fn unname(&self, dir: INodeNo, name: &OsStr) -> Option<INodeNo> {
        self.nodes().get_mut(&dir)?.names.remove(name)
    }

    fn remove(&self, _req: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        if let Some(ino) = self.unname(dir, name) {
            self.nodes().remove(&ino);
        }
        reply.ok();
    }
}

impl Filesystem for Floor {
    fn lookup(&self, _req: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let nodes = self.nodes();
        let ino = nodes.get(&dir).and_then(|dir| dir.names.get(name));
        match ino.and_then(|ino| nodes.get(ino)) {
            Some(node) => reply.entry(&TTL, &node.attr, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    #[rustfmt::skip]
    fn getattr(&self, _req: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.nodes().get(&ino) {
            Some(node) => reply.attr(&TTL, &node.attr),
            None => reply.error(Errno::ENOENT),
        }
    }

    #[rustfmt::skip]
    fn setattr(
        &self, _req: &Request, ino: INodeNo, mode: Option<u32>, _: Option<u32>, _: Option<u32>,
        size: Option<u64>, _: Option<TimeOrNow>, mtime: Option<TimeOrNow>, _: Option<SystemTime>,
        _: Option<FileHandle>, _: Option<SystemTime>, _: Option<SystemTime>, _: Option<SystemTime>,
        _: Option<BsdFileFlags>, reply: ReplyAttr,
    ) {
        let mut nodes = self.nodes();
        let Some(node) = nodes.get_mut(&ino) else { return reply.error(Errno::ENOENT) };
        if let Some(size) = size {
            node.data.resize(usize::try_from(size).unwrap_or(0), 0);
            node.attr.size = size;
        }
        if let Some(TimeOrNow::SpecificTime(time)) = mtime {
            node.attr.mtime = time;
        }
        node.attr.perm = mode.map_or(node.attr.perm, |mode| u16::try_from(mode & 0o7777).unwrap_or(0));
        reply.attr(&TTL, &node.attr);
    }

    #[rustfmt::skip]
    fn mkdir(
        &self, req: &Request, dir: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry,
    ) {
        reply.entry(&TTL, &self.make(req, dir, name, (FileType::Directory, mode)), Generation(0));
    }

    #[rustfmt::skip]
    fn create(
        &self, req: &Request, dir: INodeNo, name: &OsStr, mode: u32, _: u32, _: i32,
        reply: ReplyCreate,
    ) {
        let attr = self.make(req, dir, name, (FileType::RegularFile, mode));
        reply.created(&TTL, &attr, Generation(0), FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    /// The kernel may open and close alone from here, and so keep what it has read.
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    #[rustfmt::skip]
    fn read(
        &self, _req: &Request, ino: INodeNo, _: FileHandle, offset: u64, size: u32, _: OpenFlags,
        _: Option<LockOwner>, reply: ReplyData,
    ) {
        let nodes = self.nodes();
        let data = nodes.get(&ino).map_or(&[][..], |node| &node.data);
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        reply.data(&data[from..data.len().min(from + size as usize)]);
    }

    #[rustfmt::skip]
    fn write(
        &self, _req: &Request, ino: INodeNo, _: FileHandle, offset: u64, data: &[u8], _: WriteFlags,
        _: OpenFlags, _: Option<LockOwner>, reply: ReplyWrite,
    ) {
        if let Some(node) = self.nodes().get_mut(&ino) {
            let from = usize::try_from(offset).unwrap_or(0);
            let end = (from + data.len()).max(node.data.len());
            node.data.resize(end, 0);
            node.data[from..from + data.len()].copy_from_slice(data);
            node.attr.size = end as u64;
        }
        reply.written(u32::try_from(data.len()).unwrap_or(0));
    }

    fn unlink(&self, req: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(req, dir, name, reply);
    }

    fn rmdir(&self, req: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(req, dir, name, reply);
    }

    #[rustfmt::skip]
    fn rename(
        &self, _req: &Request, dir: INodeNo, name: &OsStr, new_dir: INodeNo, new_name: &OsStr,
        _: RenameFlags, reply: ReplyEmpty,
    ) {
        match self.unname(dir, name) {
            Some(ino) => {
                self.name(ino, new_dir, new_name);
                reply.ok();
            }
            None => reply.error(Errno::ENOENT),
        }
    }

    /// All names at once, numbered from 1.
    #[rustfmt::skip]
    fn readdir(
        &self, _req: &Request, dir: INodeNo, _: FileHandle, after: u64, mut reply: ReplyDirectory,
    ) {
        let nodes = self.nodes();
        let names = nodes.get(&dir).into_iter().flat_map(|dir| &dir.names);
        let behind = usize::try_from(after).unwrap_or(0);
        for (number, (name, ino)) in (1..).zip(names).skip(behind) {
            let Some(node) = nodes.get(ino) else { continue };
            if reply.add(*ino, number, node.attr.kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
