//! Reading directories.

use super::HomeFs;
use super::answers::{attr, attr_ttl, dot_entries, fail, file_type};
use crate::home::Listing;
use crate::ids::Ino;
use crate::medium::Medium;
use fuser::{Errno, FileHandle, FopenFlags, Generation, INodeNo, ReplyDirectory};
use fuser::{ReplyDirectoryPlus, ReplyOpen};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Lines before the entries: `.` and `..`.
const DOTS: u64 = 2;

impl<M: Medium> HomeFs<M> {
    pub(super) fn open_dir(&self, dir: Ino, reply: ReplyOpen) {
        match self.home.list(dir) {
            Ok(listed) => {
                let flags = FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE;
                reply.opened(FileHandle(self.handles.open_dir(listed)), flags);
            }
            Err(error) => reply.error(fail(error)),
        }
    }

    pub(super) fn read_dir(
        &self,
        dir: Ino,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let Some(lines) = self.lines_from(dir, handle, offset) else {
            return reply.error(Errno::EBADF);
        };
        for (next, line) in lines {
            let name = OsStr::from_bytes(&line.name);
            if reply.add(INodeNo(line.ino.0), next, file_type(line.kind), name) {
                break;
            }
        }
        reply.ok();
    }

    pub(super) fn read_dir_plus(
        &self,
        dir: Ino,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let Some(lines) = self.lines_from(dir, handle, offset) else {
            return reply.error(Errno::EBADF);
        };
        for (next, line) in lines {
            let Ok(found) = self.home.attributes(line.ino) else {
                continue;
            };
            let (name, ttl) = (OsStr::from_bytes(&line.name), attr_ttl(&found));
            let ino = INodeNo(line.ino.0);
            if reply.add(ino, next, name, &ttl, &attr(&found), Generation(0)) {
                break;
            }
            // The kernel counts a reference for each line but the dots.
            if next > DOTS {
                self.home.hold(line.ino);
            }
        }
        reply.ok();
    }

    /// The lines from `offset` on, each with the offset of the next.
    fn lines_from(
        &self,
        dir: Ino,
        handle: FileHandle,
        offset: u64,
    ) -> Option<impl Iterator<Item = (u64, Listing)> + use<M>> {
        if offset == 0 {
            self.handles.refresh_dir(handle.0, || self.home.list(dir));
        }
        let listed = self.handles.dir(handle.0)?;
        let dots = dot_entries(dir, self.home.parent(dir));
        let (skip, count) = (usize::try_from(offset).ok()?, listed.len());
        let entries = (0..count).map(move |index| listed[index].clone());
        Some((1..).zip(dots.into_iter().chain(entries)).skip(skip))
    }
}
