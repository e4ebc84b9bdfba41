//! The least that a filesystem does which keeps each file as a file on the medium and leaves permissions
//! to the kernel: what FUSE itself costs here. It keeps names and attributes in memory, removes nothing
//! from the medium, checks nothing and promises nothing.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::*;

use crate::Outcome;

/// The kernel may remember everything.
const TTL: Duration = Duration::from_secs(3600);

struct Node {
    attr: FileAttr,
    names: BTreeMap<OsString, INodeNo>,
    /// A file just made: the kernel uses it directly.
    open: Option<(File, BackingId)>,
}

impl Node {
    /// The kernel writes to an open file by itself.
    fn note_size(&mut self) {
        let facts = self.open.as_ref().map(|(file, _)| file.metadata());
        if let Some(Ok(facts)) = facts {
            self.attr.size = facts.len();
        }
    }
}

struct Floor {
    /// The inodes by their numbers.
    nodes: Mutex<HashMap<INodeNo, Node>>,
    /// Where their files are, called by their numbers.
    lower: PathBuf,
}

/// Shows an empty one at `target`, with its files in `lower`, until it is unmounted.
pub fn serve(lower: &Path, target: &Path) -> Outcome<()> {
    let root = (INodeNo::ROOT, node(1, FileType::Directory, 0o755));
    let mut config = Config::default();
    config.acl = SessionACL::All;
    config.mount_options = vec![MountOption::DefaultPermissions];
    let floor = Floor {
        nodes: Mutex::new(HashMap::from([root])),
        lower: lower.to_owned(),
    };
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
    let (names, open) = (BTreeMap::new(), None);
    Node { attr, names, open }
}

impl Floor {
    fn nodes(&self) -> MutexGuard<'_, HashMap<INodeNo, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, ino: INodeNo) -> PathBuf {
        self.lower.join(ino.0.to_string())
    }

    /// A file that was made before, to be changed.
    fn again(&self, ino: INodeNo) -> io::Result<File> {
        File::options().write(true).open(self.path(ino))
    }

    fn grow(&self, ino: INodeNo, size: u64) {
        if let Some(node) = self.nodes().get_mut(&ino) {
            node.attr.size = node.attr.size.max(size);
        }
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
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let able = config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).is_ok()
            && config.set_max_stack_depth(1).is_ok();
        able.then_some(()).ok_or(io::ErrorKind::Unsupported.into())
    }

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
        match self.nodes().get_mut(&ino) {
            Some(node) => {
                node.note_size();
                reply.attr(&TTL, &node.attr);
            }
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
            if let Err(error) = self.again(ino).and_then(|file| file.set_len(size)) {
                return reply.error(error.into());
            }
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
        let opened = File::create_new(self.path(attr.ino))
            .and_then(|file| Ok((reply.open_backing(&file)?, file)));
        let (backing, file) = match opened {
            Ok(opened) => opened,
            Err(error) => return reply.error(error.into()),
        };
        let none = FopenFlags::empty();
        reply.created_passthrough(&TTL, &attr, Generation(0), FileHandle(0), none, &backing);
        if let Some(node) = self.nodes().get_mut(&attr.ino) {
            node.open = Some((file, backing));
        }
    }

    #[rustfmt::skip]
    fn release(
        &self, _req: &Request, ino: INodeNo, _: FileHandle, _: OpenFlags, _: Option<LockOwner>,
        _: bool, reply: ReplyEmpty,
    ) {
        if let Some(node) = self.nodes().get_mut(&ino) {
            node.note_size();
            node.open = None;
        }
        reply.ok();
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
        let mut data = vec![0; size as usize];
        let read = File::open(self.path(ino)).and_then(|file| file.read_at(&mut data, offset));
        match read {
            Ok(read) => reply.data(&data[..read]),
            Err(error) => reply.error(error.into()),
        }
    }

    #[rustfmt::skip]
    fn write(
        &self, _req: &Request, ino: INodeNo, _: FileHandle, offset: u64, data: &[u8], _: WriteFlags,
        _: OpenFlags, _: Option<LockOwner>, reply: ReplyWrite,
    ) {
        match self.again(ino).and_then(|file| file.write_all_at(data, offset)) {
            Ok(()) => {
                self.grow(ino, offset + data.len() as u64);
                reply.written(u32::try_from(data.len()).unwrap_or(0));
            }
            Err(error) => reply.error(error.into()),
        }
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
