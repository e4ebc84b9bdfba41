//! Open files: served by the kernel from the lower file where that is sound, else by us.

use super::HomeFs;
use super::answers::{TTL, attr, fail, reply_empty};
use super::handles::Backed;
use crate::home::NewNode;
use crate::ids::Ino;
use crate::medium::{Medium, MediumFile};
use crate::parts::SplitFile;
use fuser::{BackingId, Errno, FileHandle, FopenFlags, Generation};
use fuser::{ReplyCreate, ReplyEmpty, ReplyOpen};
use std::io;
use std::os::fd::BorrowedFd;

/// How a program writes.
#[derive(Clone, Copy)]
pub(super) struct Write {
    /// Without the privilege to leave set-ID bits as they are.
    pub unprivileged: bool,
    /// With `O_SYNC` or `O_DSYNC`.
    pub synchronous: bool,
}

impl<M: Medium> HomeFs<M> {
    pub(super) fn open_file(&self, ino: Ino, flags: i32, reply: ReplyOpen) {
        let returns = self.home.returns();
        let opened = if is_writable(flags) {
            self.home.open_file(ino).map(Some)
        } else {
            self.home.open_to_read(ino)
        };
        let backed = match opened {
            Ok(Some(opened)) => {
                self.back((ino, returns), &opened.file, |fd| reply.open_backing(fd))
            }
            Ok(None) => self.handles.open(ino, returns, || None),
            Err(error) => return reply.error(fail(error)),
        };
        let flags = self.flags_for(ino, &backed, flags);
        match backed {
            Backed::Direct(id) | Backed::Lost(id) => {
                reply.opened_passthrough(FileHandle(0), flags, &id);
            }
            Backed::Cached => reply.opened(FileHandle(0), flags),
        }
    }

    pub(super) fn create_file(
        &self,
        (dir, name): (Ino, &[u8]),
        node: &NewNode,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let returns = self.home.returns();
        let (made, file) = match self.home.create(dir, name, node) {
            Ok(created) => created,
            Err(error) => return reply.error(fail(error)),
        };
        self.home.hold(made.ino);
        let backed = self.back((made.ino, returns), &file, |fd| reply.open_backing(fd));
        let flags = self.flags_for(made.ino, &backed, flags);
        let (attr, fh, generation) = (attr(&made), FileHandle(0), Generation(0));
        match backed {
            Backed::Direct(id) | Backed::Lost(id) => {
                reply.created_passthrough(&TTL, &attr, generation, fh, flags, &id);
            }
            Backed::Cached => reply.created(&TTL, &attr, generation, fh, flags),
        }
    }

    /// Writes as it was asked for; synchronously, everything is durable before that ends.
    pub(super) fn write_file(
        &self,
        write: Write,
        ino: Ino,
        offset: u64,
        data: &[u8],
    ) -> crate::home::Result<()> {
        if write.unprivileged {
            self.home.drop_privileges(ino)?;
        }
        self.home.write(ino, offset, data)?;
        if write.synchronous {
            self.home.sync_file(ino)?;
        }
        Ok(())
    }

    /// Room from the beginning: holes and ranges are nothing FAT could keep.
    pub(super) fn allocate(&self, ino: Ino, end: Option<u64>, mode: i32, reply: ReplyEmpty) {
        match (mode, end) {
            (0, Some(end)) => reply_empty(self.home.allocate(ino, end), reply),
            (0, None) => reply.error(Errno::EFBIG),
            _ => reply.error(Errno::EOPNOTSUPP),
        }
    }

    /// Decides how an opened file is served; `open` registers a descriptor with the kernel.
    fn back(
        &self,
        (ino, returns): (Ino, u64),
        file: &SplitFile<M::File>,
        open: impl FnOnce(BorrowedFd<'_>) -> io::Result<BackingId>,
    ) -> Backed {
        self.handles.open(ino, returns, || {
            self.home.make_exact(ino).ok()?;
            open(file.first()?.descriptor()?).ok()
        })
    }

    fn flags_for(&self, ino: Ino, backed: &Backed, flags: i32) -> FopenFlags {
        match backed {
            Backed::Cached => FopenFlags::FOPEN_KEEP_CACHE,
            // Mappings go to the lower file, but each read and write comes to us.
            Backed::Direct(_) if self.is_for_us(ino, flags) => FopenFlags::FOPEN_DIRECT_IO,
            Backed::Lost(_) => FopenFlags::FOPEN_DIRECT_IO,
            Backed::Direct(_) => FopenFlags::empty(),
        }
    }

    /// Whether what is read and written must not go to the lower file directly.
    fn is_for_us(&self, ino: Ino, flags: i32) -> bool {
        if is_writable(flags) {
            let mapped = flags & libc::O_ACCMODE == libc::O_RDWR;
            !self.home.let_kernel_write(ino, mapped) || is_synchronous(flags)
        } else {
            self.home.may_outgrow(ino)
        }
    }
}

fn is_writable(flags: i32) -> bool {
    flags & libc::O_ACCMODE != libc::O_RDONLY
}

/// Whether each write is to be durable when it ends; `O_SYNC` contains `O_DSYNC` (open(2)).
pub(super) fn is_synchronous(flags: i32) -> bool {
    flags & libc::O_DSYNC != 0
}
