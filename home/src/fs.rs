//! The filesystem: answers the kernel's FUSE requests from a [`Home`].
//!
//! We are the only writer, so the kernel may cache names and attributes for long. It checks
//! permissions by itself (`default_permissions`) and keeps locks locally. Where it can, it reads
//! lower files directly: see `handles`.

use crate::home::{Change, Home, NewNode};
use crate::ids::{Ino, Time};
use crate::medium::Medium;
use crate::record::Kind;
use answers::{fail, kind_of, reply_empty};
use files::{Write, is_synchronous};
use fuser::{
    AccessFlags, BsdFileFlags, Errno, FileHandle, Filesystem, INodeNo, InitFlags, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr,
    Request, TimeOrNow, WriteFlags,
};
use handles::Handles;
use namespace::{new_node, tell_absence};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

mod answers;
mod attributes;
mod directories;
mod files;
mod handles;
mod namespace;

/// Capabilities asked for where the kernel has them.
const WANTED: [InitFlags; 5] = [
    // Without it the kernel asks for `security.capability` with every write.
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
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
    /// Whether the kernel opens directories without asking.
    opens_dirs_alone: bool,
}

impl<M: Medium> HomeFs<M> {
    /// Serves `home`; `passthrough` allows the kernel to use lower files directly.
    #[must_use]
    pub fn new(home: Arc<Home<M>>, passthrough: bool) -> Self {
        Self {
            home,
            handles: Handles::new(passthrough),
            opens_dirs_alone: false,
        }
    }
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
        let alone = InitFlags::FUSE_NO_OPENDIR_SUPPORT;
        self.opens_dirs_alone = config.add_capabilities(alone).is_ok();
        let able = self.handles.passthrough()
            && config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).is_ok()
            && config.set_max_stack_depth(1).is_ok();
        self.handles.set_passthrough(able);
        tracing::info!(passthrough = able, "mounted");
        Ok(())
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.home.lookup(Ino(parent.0), name.as_bytes()) {
            Err(rustix::io::Errno::NOENT) => tell_absence(reply),
            found => self.tell_entry(reply, found),
        }
    }

    fn forget(&self, _req: &Request, ino: INodeNo, nlookup: u64) {
        self.home.forget(Ino(ino.0), nlookup);
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        self.tell_attributes(Ino(ino.0), reply);
    }

    fn setattr(
        &self,
        req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let nothing = mode.or(uid).or(gid).is_none() && size.is_none();
        let nothing = nothing && atime.or(mtime).is_none() && ctime.is_none();
        let change = Change {
            // A change of nothing is how the kernel hands over a write of its own by somebody without
            // privilege (`file_remove_privs`).
            drop_set_ids: nothing || size.is_some() && req.uid() != 0,
            mode: mode.map(|mode| u16::try_from(mode & 0o7777).unwrap_or(0)),
            uid,
            gid,
            size,
            accessed: atime.map(time),
            modified: mtime.map(time),
        };
        self.change_attributes(Ino(ino.0), &change, reply);
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
        self.rename_as((parent, name), (newparent, newname), flags, reply);
    }

    fn link(
        &self,
        _req: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let linked = self
            .home
            .link(Ino(ino.0), Ino(newparent.0), newname.as_bytes());
        self.tell_entry(reply, linked);
    }

    fn open(&self, _req: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        self.open_file(Ino(ino.0), flags.0, reply);
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
        self.create_file((Ino(parent.0), name.as_bytes()), &node, flags, reply);
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
        // The kernel reads ahead of who asks, so that both have something to do.
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
        write_flags: WriteFlags,
        flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let write = Write {
            unprivileged: write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID),
            synchronous: is_synchronous(flags.0),
        };
        match self.write_file(write, Ino(ino.0), offset, data) {
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
        self.allocate(Ino(ino.0), offset.checked_add(length), mode, reply);
    }

    fn opendir(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.open_dir(reply);
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        reply: ReplyDirectory,
    ) {
        self.read_dir(Ino(ino.0), offset, reply);
    }

    fn readdirplus(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        self.read_dir_plus(Ino(ino.0), offset, reply);
    }

    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        self.tell_space(reply);
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
        self.change_xattr(Ino(ino.0), (name, value), flags, reply);
    }

    fn getxattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        attributes::tell_xattr(self.home.xattr(Ino(ino.0), name.as_bytes()), size, reply);
    }

    fn listxattr(&self, _req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        attributes::tell_xattr(self.home.xattr_names(Ino(ino.0)), size, reply);
    }

    fn removexattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply_empty(self.home.remove_xattr(Ino(ino.0), name.as_bytes()), reply);
    }

    fn access(&self, _req: &Request, _ino: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        // The kernel checks by itself and need not ask again.
        reply.error(Errno::ENOSYS);
    }
}
