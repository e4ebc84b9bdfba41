//! Names: making, linking, renaming.

use super::HomeFs;
use super::answers::{NOTHING, TTL, attr, attr_ttl, fail, reply_empty};
use crate::home::{Attributes, NewNode, RenameMode, Result};
use crate::ids::Ino;
use crate::medium::Medium;
use crate::record::Kind;
use fuser::{Errno, Generation, INodeNo, RenameFlags, ReplyEmpty, ReplyEntry, Request};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

impl<M: Medium> HomeFs<M> {
    /// Answers with an inode, which the kernel refers to from here.
    pub(super) fn tell_entry(&self, reply: ReplyEntry, found: Result<Attributes>) {
        match found {
            Ok(found) => {
                self.home.hold(found.ino);
                let attr_ttl = attr_ttl(&found);
                reply.entry_with_ttls(&attr_ttl, &TTL, &attr(&found), Generation(0));
            }
            Err(error) => reply.error(fail(error)),
        }
    }

    pub(super) fn make(&self, dir: INodeNo, name: &OsStr, node: &NewNode, reply: ReplyEntry) {
        self.tell_entry(reply, self.home.make(Ino(dir.0), name.as_bytes(), node));
    }

    pub(super) fn rename_as(
        &self,
        from: (INodeNo, &OsStr),
        to: (INodeNo, &OsStr),
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let Some(mode) = rename_mode(flags) else {
            return reply.error(Errno::EINVAL);
        };
        let (from, to) = (
            (Ino(from.0.0), from.1.as_bytes()),
            (Ino(to.0.0), to.1.as_bytes()),
        );
        reply_empty(self.home.rename(from, to, mode), reply);
    }
}

/// Answers that there is no such name, which the kernel may remember like one that is there: inode
/// 0 says so (`FUSE_LOOKUP` in linux/fuse.h).
pub(super) fn tell_absence(reply: ReplyEntry) {
    reply.entry(&TTL, &NOTHING, Generation(0));
}

/// What mknod(2) and its relatives ask for, on behalf of the caller.
pub(super) fn new_node(req: &Request, kind: Kind, mode: u32) -> NewNode {
    NewNode {
        kind,
        mode: u16::try_from(mode & 0o7777).unwrap_or(0),
        uid: req.uid(),
        gid: req.gid(),
        device: 0,
        target: Vec::new(),
    }
}

fn rename_mode(flags: RenameFlags) -> Option<RenameMode> {
    match flags {
        flags if flags.is_empty() => Some(RenameMode::Replace),
        RenameFlags::RENAME_NOREPLACE => Some(RenameMode::NoReplace),
        RenameFlags::RENAME_EXCHANGE => Some(RenameMode::Exchange),
        _ => None,
    }
}
