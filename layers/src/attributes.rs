//! Everything about an entry that is not its data: owner, mode, extended attributes, times, flags.
//!
//! The order matters: a change of owner clears set-id bits and capabilities, an access list changes
//! the mode, any of them changes ctime, and nothing can follow the immutable flag.

use std::ffi::{CStr, CString};
use std::os::fd::AsRawFd;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, IFlags, Mode, OFlags, StatxAttributes, XattrFlags, chmod, chownat, fchmod,
    fchown, futimens, ioctl_getflags, ioctl_setflags, openat, utimensat,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use crate::facts::Facts;
use crate::{EntryPath, Error, Result};

/// Longest list of names and longest value the kernel allows (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const XATTR_MAX: usize = 65536;

/// Attributes that point into the filesystem they were written on. An overlay follows them there,
/// so a copy must not have them: Documentation/filesystems/overlayfs.rst, "Inode properties".
const LOCAL: [&[u8]; 4] = [b"origin", b"upper", b"nlink", b"uuid"];

/// Extended attributes of one entry, in the order of their names.
pub(crate) type Xattrs = Vec<(CString, Vec<u8>)>;

/// An entry whose extended attributes are wanted.
pub(crate) enum Target<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// The entry itself, link or device, in an open directory.
    Entry(BorrowedFd<'a>, &'a CStr),
}

impl Target<'_> {
    /// The attributes that belong into a copy.
    pub fn read(&self) -> Result<Xattrs, Errno> {
        let mut names = [0; 4096];
        let all = match self.list(&mut names) {
            Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Ok(length) => self.values(&names[..length])?,
            Err(Errno::RANGE) => {
                let mut names = vec![0; XATTR_MAX];
                let length = self.list(&mut names)?;
                self.values(&names[..length])?
            }
            Err(error) => return Err(error),
        };
        Ok(all)
    }

    fn values(&self, names: &[u8]) -> Result<Xattrs, Errno> {
        let mut all = Vec::new();
        for name in names.split_inclusive(|&byte| byte == 0) {
            let Ok(name) = CStr::from_bytes_with_nul(name) else {
                continue;
            };
            if !travels(name.to_bytes()) {
                continue;
            }
            match self.value(name) {
                Ok(value) => all.push((name.into(), value)),
                // Removed since it was listed.
                Err(Errno::NODATA) => {}
                Err(error) => return Err(error),
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    fn value(&self, name: &CStr) -> Result<Vec<u8>, Errno> {
        let mut short = [0; 256];
        match self.get(name, &mut short) {
            Ok(length) => return Ok(short[..length].to_vec()),
            Err(Errno::RANGE) => {}
            Err(error) => return Err(error),
        }
        let mut value = vec![0; XATTR_MAX];
        let length = self.get(name, &mut value)?;
        value.truncate(length);
        value.shrink_to_fit();
        Ok(value)
    }

    fn list(&self, names: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => rustix::fs::flistxattr(fd, names),
            Self::Entry(dir, name) => rustix::fs::llistxattr(proc_path(*dir, name), names),
        }
    }

    fn get(&self, name: &CStr, value: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => rustix::fs::fgetxattr(fd, name, value),
            Self::Entry(dir, entry) => rustix::fs::lgetxattr(proc_path(*dir, entry), name, value),
        }
    }

    fn set(&self, name: &CStr, value: &[u8]) -> Result<(), Errno> {
        let flags = XattrFlags::empty();
        match self {
            Self::Open(fd) => rustix::fs::fsetxattr(fd, name, value, flags),
            Self::Entry(dir, at) => rustix::fs::lsetxattr(proc_path(*dir, at), name, value, flags),
        }
    }

    fn write(&self, xattrs: &Xattrs, path: &dyn Fn() -> EntryPath) -> Result<()> {
        for (name, value) in xattrs {
            self.set(name, value).map_err(|source| Error::Attribute {
                path: path(),
                attribute: name.to_string_lossy().into_owned(),
                size: value.len(),
                source,
            })?;
        }
        Ok(())
    }
}

/// Makes the open file or directory `fd`, fresh from its creation, look as `facts` says.
pub(crate) fn apply(
    fd: BorrowedFd<'_>,
    facts: &Facts,
    xattrs: &Xattrs,
    path: &dyn Fn() -> EntryPath,
) -> Result<()> {
    let fail = |errno| Error::write(path(), errno);
    let made = Facts::of(fd).map_err(fail)?;
    if (made.uid, made.gid) != (facts.uid, facts.gid) {
        fchown(
            fd,
            Some(Uid::from_raw(facts.uid)),
            Some(Gid::from_raw(facts.gid)),
        )
        .map_err(fail)?;
    }
    if made.mode != facts.mode || facts.mode & 0o6000 != 0 {
        fchmod(fd, Mode::from_raw_mode(facts.mode)).map_err(fail)?;
    }
    Target::Open(fd).write(xattrs, path)?;
    futimens(fd, &facts.times()).map_err(fail)?;
    set_flags(fd, facts.flags).map_err(fail)
}

/// Makes the link, device, fifo or socket `name` in `dir` look as `facts` says.
pub(crate) fn apply_at(
    dir: BorrowedFd<'_>,
    name: &CStr,
    facts: &Facts,
    xattrs: &Xattrs,
    path: &dyn Fn() -> EntryPath,
) -> Result<()> {
    let fail = |errno| Error::write(path(), errno);
    let nofollow = AtFlags::SYMLINK_NOFOLLOW;
    let (uid, gid) = (Uid::from_raw(facts.uid), Gid::from_raw(facts.gid));
    chownat(dir, name, Some(uid), Some(gid), nofollow).map_err(fail)?;
    if facts.kind != FileType::Symlink {
        set_mode(dir, name, facts).map_err(fail)?;
    }
    Target::Entry(dir, name).write(xattrs, path)?;
    utimensat(dir, name, &facts.times(), nofollow).map_err(fail)
}

/// Sets the mode of what was made as `name`, and of nothing else: the directory may belong to somebody
/// who has put a link there since, which fchmodat(2) would follow.
fn set_mode(dir: BorrowedFd<'_>, name: &CStr, facts: &Facts) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = openat(dir, name, flags, Mode::empty())?;
    if Facts::of(made.as_fd())?.kind != facts.kind {
        return Err(Errno::LOOP);
    }
    let path = format!("/proc/self/fd/{}", made.as_raw_fd());
    chmod(path, Mode::from_raw_mode(facts.mode))
}

/// Removes every extended attribute of the directory `fd` that `wanted` does not have.
pub(crate) fn remove_others(fd: BorrowedFd<'_>, wanted: &Xattrs) -> Result<(), Errno> {
    for (name, _) in Target::Open(fd).read()? {
        if !wanted.iter().any(|(kept, _)| *kept == name) {
            rustix::fs::fremovexattr(fd, &name)?;
        }
    }
    Ok(())
}

/// Makes the directory `fd` accept changes, and entries made in it inherit nothing.
pub(crate) fn unlock(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    lift_flags(fd)?;
    match rustix::fs::fremovexattr(fd, c"system.posix_acl_default") {
        Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes the flags that forbid changes off an open file or directory.
pub(crate) fn lift_flags(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = match ioctl_getflags(fd) {
        Ok(flags) => flags,
        Err(Errno::NOTTY | Errno::NOTSUP | Errno::INVAL | Errno::NOSYS) => return Ok(()),
        Err(error) => return Err(error),
    };
    let locks = IFlags::IMMUTABLE | IFlags::APPEND;
    if flags.intersects(locks) {
        ioctl_setflags(fd, flags - locks)
    } else {
        Ok(())
    }
}

/// Opens the file or directory `name` to look at or change its flags.
pub(crate) fn open_for_flags(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    use rustix::fs::{OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}

/// Sets those inode flags that a copy keeps.
pub(crate) fn set_flags(fd: impl AsFd, wanted: StatxAttributes) -> Result<(), Errno> {
    if wanted.is_empty() {
        return Ok(());
    }
    let mut flags = ioctl_getflags(&fd)?;
    for (attribute, flag) in [
        (StatxAttributes::IMMUTABLE, IFlags::IMMUTABLE),
        (StatxAttributes::APPEND, IFlags::APPEND),
        (StatxAttributes::NODUMP, IFlags::NODUMP),
    ] {
        flags.set(flag, wanted.contains(attribute));
    }
    ioctl_setflags(fd, flags)
}

/// Whether an attribute belongs into a copy on another filesystem.
fn travels(name: &[u8]) -> bool {
    let overlay = name
        .strip_prefix(b"trusted.overlay.")
        .or(name.strip_prefix(b"user.overlay."));
    if let Some(name) = overlay {
        return !LOCAL.contains(&name);
    }
    let spaces: [&[u8]; 4] = [b"user.", b"trusted.", b"security.", b"system.posix_acl_"];
    spaces.iter().any(|space| name.starts_with(space))
}

/// A path to the entry itself for the calls that take no directory descriptor.
fn proc_path(dir: BorrowedFd<'_>, name: &CStr) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_one_filesystem_stay_there() {
        let cases: [(&[u8], bool); 9] = [
            (b"trusted.overlay.opaque", true),
            (b"trusted.overlay.redirect", true),
            (b"trusted.overlay.metacopy", true),
            (b"trusted.overlay.origin", false),
            (b"user.overlay.upper", false),
            (b"trusted.overlay.nlink", false),
            (b"system.posix_acl_access", true),
            (b"security.capability", true),
            (b"btrfs.compression", false),
        ];
        for (name, kept) in cases {
            assert_eq!(travels(name), kept, "{}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn no_mode_goes_through_a_link_that_was_put_in_the_place_of_a_fifo() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let top = tempfile::tempdir().unwrap();
        let program = top.path().join("program");
        std::fs::write(&program, "").unwrap();
        symlink(&program, top.path().join("fifo")).unwrap();
        let dir = std::fs::File::open(top.path()).unwrap();
        let made = Facts {
            kind: FileType::Fifo,
            mode: 0o6755,
            ..Facts::of(dir.as_fd()).unwrap()
        };
        let path = || EntryPath::new("fifo");
        let refused = apply_at(dir.as_fd(), c"fifo", &made, &Vec::new(), &path);
        let mode = std::fs::metadata(&program).unwrap().permissions().mode();
        assert!(refused.is_err() && mode & 0o6000 == 0, "{mode:o}");
    }
}
