//! Our terms in those of FUSE.

use crate::home::Attributes;
use crate::record::Kind;
use fuser::{Errno, FileAttr, FileType, INodeNo, ReplyEmpty};
use std::time::{Duration, SystemTime};

/// How long the kernel may keep names and attributes: we tell it of every change, being its cause.
pub(super) const TTL: Duration = Duration::from_secs(3600);

/// The attributes of what is not there.
pub(super) const NOTHING: FileAttr = FileAttr {
    ino: INodeNo(0),
    size: 0,
    blocks: 0,
    atime: SystemTime::UNIX_EPOCH,
    mtime: SystemTime::UNIX_EPOCH,
    ctime: SystemTime::UNIX_EPOCH,
    crtime: SystemTime::UNIX_EPOCH,
    kind: FileType::RegularFile,
    perm: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    blksize: 0,
    flags: 0,
};

/// How long the kernel may keep these attributes.
pub(super) fn attr_ttl(attributes: &Attributes) -> Duration {
    if attributes.stable {
        TTL
    } else {
        Duration::ZERO
    }
}

pub(super) fn attr(from: &Attributes) -> FileAttr {
    FileAttr {
        ino: INodeNo(from.ino.0),
        size: from.size,
        blocks: from.size.div_ceil(512),
        atime: from.times.accessed.into(),
        mtime: from.times.modified.into(),
        ctime: from.times.changed.into(),
        crtime: from.times.born.into(),
        kind: file_type(from.kind),
        perm: from.mode,
        nlink: from.links,
        uid: from.uid,
        gid: from.gid,
        rdev: from.device,
        blksize: 4096,
        flags: 0,
    }
}

pub(super) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::File => FileType::RegularFile,
        Kind::Symlink => FileType::Symlink,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
        Kind::CharDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
    }
}

/// What mknod(2) is asked to make.
pub(super) fn kind_of(mode: u32) -> Option<Kind> {
    Some(match mode & libc::S_IFMT {
        libc::S_IFREG | 0 => Kind::File,
        libc::S_IFIFO => Kind::Fifo,
        libc::S_IFSOCK => Kind::Socket,
        libc::S_IFCHR => Kind::CharDevice,
        libc::S_IFBLK => Kind::BlockDevice,
        _ => return None,
    })
}

pub(super) fn fail(error: rustix::io::Errno) -> Errno {
    Errno::from_i32(error.raw_os_error())
}

pub(super) fn reply_empty(result: crate::home::Result<()>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(fail(error)),
    }
}
