//! The filesystem: answers the kernel's FUSE requests from a [`Home`].
//!
//! We are the only writer, so the kernel may cache names and attributes for long. It checks
//! permissions by itself (`default_permissions`) and keeps locks locally. Where it can, it reads
//! lower files directly: see `handles`.

use crate::home::{Change, Home, NewNode, RenameMode, SetXattr};
use crate::ids::{Ino, Time};
use crate::medium::{Medium, MediumFile};
use crate::parts::SplitFile;
use crate::record::Kind;
use fuser::{
    AccessFlags, BackingId, BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs,
    ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use handles::{Backed, Handles};
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

mod answers;
mod handles;

use answers::{TTL, attr, attr_ttl, dot_entries, fail, file_type, kind_of};

/// Capabilities asked for where the kernel has them.
const WANTED: [InitFlags; 4] = [
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_READDIRPLUS_AUTO,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_CACHE_SYMLINKS,
];

/// A home as the kernel sees it.
#[derive(Debug)]
pub struct HomeFs<M: Medium> {
    home: Arc<Home<M>>,
    handles: Handles,
}

impl<M: Medium> HomeFs<M> {
    /// Serves `home`; `passthrough` allows the kernel to use lower files directly.
    #[must_use]
    pub fn new(home: Arc<Home<M>>, passthrough: bool) -> Self {
        Self {
            home,
            handles: Handles::new(passthrough),
        }
    }

    fn answer(&self, reply: ReplyEntry, attributes: crate::home::Result<crate::home::Attributes>) {
        match attributes {
            Ok(found) => {
                self.home.hold(found.ino);
                let attr_ttl = attr_ttl(&found);
                reply.entry_with_ttls(&attr_ttl, &TTL, &attr(&found), Generation(0));
            }
            Err(error) => reply.error(fail(error)),
        }
    }

    fn make(&self, parent: INodeNo, name: &OsStr, node: &NewNode, reply: ReplyEntry) {
        self.answer(reply, self.home.make(Ino(parent.0), name.as_bytes(), node));
    }

    /// Decides how an opened file is served; `open` registers a descriptor with the kernel.
    fn back(
        &self,
        ino: Ino,
        writable: bool,
        file: &SplitFile<M::File>,
        open: impl FnOnce(BorrowedFd<'_>) -> io::Result<BackingId>,
    ) -> Backed {
        self.handles.open(ino, || {
            self.home.make_exact(ino, writable).ok()?;
            open(file.first()?.descriptor()?).ok()
        })
    }
}

fn reply_empty(result: crate::home::Result<()>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(fail(error)),
    }
}

fn new_node(req: &Request, kind: Kind, mode: u32) -> NewNode {
    let mode = u16::try_from(mode & 0o7777).unwrap_or(0);
    NewNode {
        kind,
        mode,
        uid: req.uid(),
        gid: req.gid(),
        device: 0,
        target: Vec::new(),
    }
}

fn is_writable(flags: i32) -> bool {
    flags & libc::O_ACCMODE != libc::O_RDONLY
}

fn time(time: TimeOrNow) -> Time {
    match time {
        TimeOrNow::SpecificTime(time) => time.into(),
        TimeOrNow::Now => Time::now(),
    }
}

impl<M: Medium> Filesystem for HomeFs<M> {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for wanted in WANTED {
            // Each is an optimisation only.
            let _ = config.add_capabilities(wanted);
        }
        let able = self.handles.passthrough()
            && config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).is_ok()
            && config.set_max_stack_depth(1).is_ok();
        self.handles.set_passthrough(able);
        tracing::info!(passthrough = able, "mounted");
        Ok(())
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.answer(reply, self.home.lookup(Ino(parent.0), name.as_bytes()));
    }

    fn forget(&self, _req: &Request, ino: INodeNo, nlookup: u64) {
        self.home.forget(Ino(ino.0), nlookup);
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match self.home.attributes(Ino(ino.0)) {
            Ok(found) => reply.attr(&attr_ttl(&found), &attr(&found)),
            Err(error) => reply.error(fail(error)),
        }
    }

    fn setattr(
        &self,
        _req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = Change {
            mode: mode.map(|mode| u16::try_from(mode & 0o7777).unwrap_or(0)),
            uid,
            gid,
            size,
            accessed: atime.map(time),
            modified: mtime.map(time),
        };
        match self.home.change(Ino(ino.0), &change) {
            Ok(now) => reply.attr(&attr_ttl(&now), &attr(&now)),
            Err(error) => reply.error(fail(error)),
        }
    }

    fn readlink(&self, _req: &Request, ino: INodeNo, reply: ReplyData) {
        match self.home.read_link(Ino(ino.0)) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(fail(error)),
        }
    }

    fn mknod(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let Some(kind) = kind_of(mode) else {
            return reply.error(Errno::EINVAL);
        };
        let node = NewNode {
            device: rdev,
            ..new_node(req, kind, mode)
        };
        self.make(parent, name, &node, reply);
    }

    fn mkdir(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        self.make(parent, name, &new_node(req, Kind::Directory, mode), reply);
    }

    fn symlink(
        &self,
        req: &Request,
        parent: INodeNo,
        link_name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let target = target.as_os_str().as_bytes().to_vec();
        let node = NewNode {
            target,
            ..new_node(req, Kind::Symlink, 0o777)
        };
        self.make(parent, link_name, &node, reply);
    }

    fn unlink(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply_empty(self.home.unlink(Ino(parent.0), name.as_bytes()), reply);
    }

    fn rmdir(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply_empty(self.home.remove_dir(Ino(parent.0), name.as_bytes()), reply);
    }

    fn rename(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let mode = if flags.is_empty() {
            RenameMode::Replace
        } else if flags == RenameFlags::RENAME_NOREPLACE {
            RenameMode::NoReplace
        } else if flags == RenameFlags::RENAME_EXCHANGE {
            RenameMode::Exchange
        } else {
            return reply.error(Errno::EINVAL);
        };
        let (from, to) = (
            (Ino(parent.0), name.as_bytes()),
            (Ino(newparent.0), newname.as_bytes()),
        );
        reply_empty(self.home.rename(from, to, mode), reply);
    }

    fn link(
        &self,
        _req: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        self.answer(
            reply,
            self.home
                .link(Ino(ino.0), Ino(newparent.0), newname.as_bytes()),
        );
    }

    fn open(&self, _req: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let ino = Ino(ino.0);
        let opened = match self.home.open_file(ino) {
            Ok(opened) => opened,
            Err(error) => return reply.error(fail(error)),
        };
        let writable = is_writable(flags.0);
        let backed = self.back(ino, writable, &opened.file, |fd| reply.open_backing(fd));
        let flags = backed.flags(writable);
        match backed {
            Backed::Direct(id) => reply.opened_passthrough(FileHandle(0), flags, &id),
            Backed::Cached => reply.opened(FileHandle(0), flags),
        }
    }

    fn create(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let node = new_node(req, Kind::File, mode);
        let (made, file) = match self.home.create(Ino(parent.0), name.as_bytes(), &node) {
            Ok(created) => created,
            Err(error) => return reply.error(fail(error)),
        };
        self.home.hold(made.ino);
        let writable = is_writable(flags);
        let backed = self.back(made.ino, writable, &file, |fd| reply.open_backing(fd));
        let flags = backed.flags(writable);
        let (attr, fh, generation) = (attr(&made), FileHandle(0), Generation(0));
        match backed {
            Backed::Direct(id) => {
                reply.created_passthrough(&TTL, &attr, generation, fh, flags, &id);
            }
            Backed::Cached => reply.created(&TTL, &attr, generation, fh, flags),
        }
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.home.read(Ino(ino.0), offset, size as usize) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(fail(error)),
        }
    }

    fn write(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.home.write(Ino(ino.0), offset, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(fail(error)),
        }
    }

    fn release(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.handles.close(Ino(ino.0));
        reply_empty(self.home.release(Ino(ino.0)), reply);
    }

    fn fsync(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply_empty(self.home.sync_file(Ino(ino.0)), reply);
    }

    fn fsyncdir(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply_empty(self.home.sync_names(), reply);
    }

    fn fallocate(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        // Holes and ranges are nothing FAT could keep.
        match (mode, offset.checked_add(length)) {
            (0, Some(end)) => reply_empty(self.home.allocate(Ino(ino.0), end), reply),
            (0, None) => reply.error(Errno::EFBIG),
            _ => reply.error(Errno::EOPNOTSUPP),
        }
    }

    fn opendir(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.home.list(Ino(ino.0)) {
            Ok(listed) => {
                let flags = FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE;
                reply.opened(FileHandle(self.handles.open_dir(listed)), flags);
            }
            Err(error) => reply.error(fail(error)),
        }
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        if offset == 0 {
            self.handles
                .refresh_dir(fh.0, || self.home.list(Ino(ino.0)));
        }
        let Some(listed) = self.handles.dir(fh.0) else {
            return reply.error(Errno::EBADF);
        };
        let dots = dot_entries(Ino(ino.0), self.home.parent(Ino(ino.0)));
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        for (line, next) in dots.iter().chain(listed.iter()).zip(1..).skip(skip) {
            let name = OsStr::from_bytes(&line.name);
            if reply.add(INodeNo(line.ino.0), next, file_type(line.kind), name) {
                break;
            }
        }
        reply.ok();
    }

    fn readdirplus(
        &self,
        _req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        if offset == 0 {
            self.handles
                .refresh_dir(fh.0, || self.home.list(Ino(ino.0)));
        }
        let Some(listed) = self.handles.dir(fh.0) else {
            return reply.error(Errno::EBADF);
        };
        let dots = dot_entries(Ino(ino.0), self.home.parent(Ino(ino.0)));
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        for (line, next) in dots.iter().chain(listed.iter()).zip(1..).skip(skip) {
            let Ok(found) = self.home.attributes(line.ino) else {
                continue;
            };
            let (name, ttl) = (OsStr::from_bytes(&line.name), attr_ttl(&found));
            let ino = INodeNo(line.ino.0);
            if reply.add(ino, next, name, &ttl, &attr(&found), Generation(0)) {
                break;
            }
            // The kernel counts a reference for each line but the dots.
            if next > 2 {
                self.home.hold(line.ino);
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.handles.close_dir(fh.0);
        reply.ok();
    }

    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        match self.home.space() {
            Ok(space) => {
                let block = space.block.max(512);
                let blocks = |bytes: u64| bytes / u64::from(block);
                let (free, files) = (blocks(space.free), self.home.inode_count() as u64);
                reply.statfs(
                    blocks(space.size),
                    free,
                    free,
                    files + free,
                    free,
                    block,
                    255,
                    block,
                );
            }
            Err(error) => reply.error(fail(error)),
        }
    }

    fn setxattr(
        &self,
        _req: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let how = match flags {
            libc::XATTR_CREATE => SetXattr::Create,
            libc::XATTR_REPLACE => SetXattr::Replace,
            _ => SetXattr::Any,
        };
        reply_empty(
            self.home.set_xattr(Ino(ino.0), name.as_bytes(), value, how),
            reply,
        );
    }

    fn getxattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        answers::reply_xattr(self.home.xattr(Ino(ino.0), name.as_bytes()), size, reply);
    }

    fn listxattr(&self, _req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        answers::reply_xattr(self.home.xattr_names(Ino(ino.0)), size, reply);
    }

    fn removexattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply_empty(self.home.remove_xattr(Ino(ino.0), name.as_bytes()), reply);
    }

    fn access(&self, _req: &Request, _ino: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        // The kernel checks by itself and need not ask again.
        reply.error(Errno::ENOSYS);
    }
}
