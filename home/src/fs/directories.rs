//! Reading directories.

use super::HomeFs;
use super::answers::{attr, attr_ttl, fail, file_type};
use crate::home::Line;
use crate::ids::Ino;
use crate::medium::Medium;
use fuser::{Errno, FileHandle, FopenFlags, Generation, INodeNo, ReplyDirectory};
use fuser::{ReplyDirectoryPlus, ReplyOpen};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

impl<M: Medium> HomeFs<M> {
    /// Reading needs nothing to be opened. A kernel that understands `ENOSYS` (Linux 5.1) does not
    /// ask again, and keeps what it has read as it does with the flags for others.
    pub(super) fn open_dir(&self, reply: ReplyOpen) {
        if self.opens_dirs_alone {
            reply.error(Errno::ENOSYS);
        } else {
            let flags = FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE;
            reply.opened(FileHandle(0), flags);
        }
    }

    pub(super) fn read_dir(&self, dir: Ino, after: u64, mut reply: ReplyDirectory) {
        let add = |line: &Line<'_>| {
            let (ino, kind) = (INodeNo(line.attributes.ino.0), line.attributes.kind);
            let name = OsStr::from_bytes(line.name);
            !reply.add(ino, line.cookie, file_type(kind), name)
        };
        match self.home.read_dir(dir, after, false, add) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(fail(error)),
        }
    }

    pub(super) fn read_dir_plus(&self, dir: Ino, after: u64, mut reply: ReplyDirectoryPlus) {
        let add = |line: &Line<'_>| {
            let found = &line.attributes;
            let (ino, name) = (INodeNo(found.ino.0), OsStr::from_bytes(line.name));
            let (ttl, attr) = (attr_ttl(found), attr(found));
            !reply.add(ino, line.cookie, name, &ttl, &attr, Generation(0))
        };
        match self.home.read_dir(dir, after, true, add) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(fail(error)),
        }
    }
}
