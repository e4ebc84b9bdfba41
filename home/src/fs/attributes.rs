//! Attributes: reading and changing them, how full the home is, extended attributes.

use super::HomeFs;
use super::answers::{attr, attr_ttl, fail, reply_empty};
use crate::home::{Change, SetXattr};
use crate::ids::Ino;
use crate::medium::Medium;
use crate::sync::REQUEST;
use fuser::{Errno, ReplyAttr, ReplyEmpty, ReplyStatfs, ReplyXattr};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

impl<M: Medium> HomeFs<M> {
    pub(super) fn tell_attributes(&self, ino: Ino, reply: ReplyAttr) {
        match self.home.attributes(ino) {
            Ok(found) => reply.attr(&attr_ttl(&found), &attr(&found)),
            Err(error) => reply.error(fail(error)),
        }
    }

    pub(super) fn change_attributes(&self, ino: Ino, change: &Change, reply: ReplyAttr) {
        match self.home.change(ino, change) {
            Ok(now) => reply.attr(&attr_ttl(&now), &attr(&now)),
            Err(error) => reply.error(fail(error)),
        }
    }

    /// Inodes cost nothing but metadata: as many are free as there are free blocks.
    pub(super) fn tell_space(&self, reply: ReplyStatfs) {
        let space = match self.home.space() {
            Ok(space) => space,
            Err(error) => return reply.error(fail(error)),
        };
        let block = space.block.max(512);
        let blocks = |bytes: u64| bytes / u64::from(block);
        let (size, free) = (blocks(space.size), blocks(space.free));
        let inodes = self.home.inode_count() as u64 + free;
        reply.statfs(size, free, free, inodes, free, block, 255, block);
    }

    pub(super) fn change_xattr(
        &self,
        ino: Ino,
        (name, value): (&OsStr, &[u8]),
        flags: i32,
        reply: ReplyEmpty,
    ) {
        if ino == Ino::ROOT && name == REQUEST {
            return reply_empty(self.home.flush(), reply);
        }
        let how = match flags {
            libc::XATTR_CREATE => SetXattr::Create,
            libc::XATTR_REPLACE => SetXattr::Replace,
            _ => SetXattr::Any,
        };
        reply_empty(self.home.set_xattr(ino, name.as_bytes(), value, how), reply);
    }
}

/// Answers with the value, or its length when asked with no room.
pub(super) fn tell_xattr(value: crate::home::Result<Vec<u8>>, size: u32, reply: ReplyXattr) {
    match value {
        Err(error) => reply.error(fail(error)),
        Ok(value) if size == 0 => reply.size(u32::try_from(value.len()).unwrap_or(u32::MAX)),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
    }
}
