//! An upper directory with everything that is hard to copy.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, IFlags, Mode, OFlags, Timespec, Timestamps, XattrFlags, ioctl_getflags,
    ioctl_setflags, lsetxattr, makedev, mkdirat, mknodat, openat, setxattr, utimensat,
};

use super::{Mounted, Overlay};

/// Makes `lower`, `upper` and `work` in `on`: a real overlay was used on them, and then the upper
/// got the rest by hand. It holds 64 KB of extended attributes on one file, a file of 10 GB with
/// three blocks of data, and paths far beyond the kernel's limit.
///
/// # Errors
/// What the filesystem says; few but tmpfs, btrfs and ext4 with `ea_inode` can hold it.
pub fn nasty_upper(on: &Mounted) -> io::Result<PathBuf> {
    for name in ["lower", "upper", "work"] {
        fs::create_dir(on.path(name))?;
    }
    lower(&on.path("lower"))?;
    through_overlay(on)?;
    let upper = on.path("upper");
    names(&upper)?;
    special(&upper)?;
    contents(&upper)?;
    links(&upper)?;
    attributes(&upper)?;
    depth(&upper)?;
    locked(&upper)?;
    times(&upper)?;
    Ok(upper)
}

/// Options with which the overlay over a nasty upper has to be mounted.
pub const NASTY_OPTIONS: [(&str, Option<&str>); 2] =
    [("redirect_dir", Some("on")), ("metacopy", Some("on"))];

fn lower(lower: &Path) -> io::Result<()> {
    for dir in ["replaced", "moved/below", "whiteouts", "merged"] {
        fs::create_dir_all(lower.join(dir))?;
    }
    for n in 0..40 {
        fs::write(lower.join(format!("whiteouts/{n}")), "to be deleted")?;
    }
    for file in [
        "replaced/hidden",
        "moved/below/file",
        "merged/kept",
        "copied-up",
        "metacopy",
    ] {
        fs::write(lower.join(file), vec![b'l'; 10_000])?;
    }
    Ok(())
}

/// What only an overlay makes: whiteouts, opaque and redirected directories, metacopies.
fn through_overlay(on: &Mounted) -> io::Result<()> {
    let (lower, upper, work) = (on.path("lower"), on.path("upper"), on.path("work"));
    let merged = Overlay::mount(&lower, &upper, &work, &NASTY_OPTIONS)?;
    for n in 0..40 {
        fs::remove_file(merged.path(&format!("whiteouts/{n}")))?;
    }
    fs::remove_dir_all(merged.path("replaced"))?;
    fs::create_dir(merged.path("replaced"))?;
    fs::write(merged.path("replaced/new"), "not the old one")?;
    fs::rename(merged.path("moved"), merged.path("moved away"))?;
    fs::set_permissions(merged.path("metacopy"), fs::Permissions::from_mode(0o600))?;
    fs::write(merged.path("merged/added"), "beside the kept one")?;
    fs::File::options()
        .append(true)
        .open(merged.path("copied-up"))?
        .write_all(b"more")
}

fn names(upper: &Path) -> io::Result<()> {
    let dir = upper.join("names");
    fs::create_dir(&dir)?;
    let long = [b'n'; 255];
    let names: [&[u8]; 8] = [
        b"new\nline",
        b"\xff\xfe invalid",
        b" leading and trailing ",
        b"\x1b[31mred",
        b"-rf",
        b"*",
        &long,
        "\u{202e}gpj.exe".as_bytes(),
    ];
    for name in names {
        fs::write(dir.join(OsStr::from_bytes(name)), name)?;
        let as_dir = [&name[..name.len().min(252)], b".d"].concat();
        fs::create_dir(dir.join(OsStr::from_bytes(&as_dir)))?;
    }
    Ok(())
}

fn special(upper: &Path) -> io::Result<()> {
    let dir = upper.join("special");
    fs::create_dir(&dir)?;
    let node = |name: &str, kind, device| {
        mknodat(
            CWD,
            dir.join(name),
            kind,
            Mode::from_raw_mode(0o640),
            device,
        )
    };
    node("fifo", FileType::Fifo, 0)?;
    node("null", FileType::CharacterDevice, makedev(1, 3))?;
    node("disk", FileType::BlockDevice, makedev(259, 70_000))?;
    fs::hard_link(dir.join("fifo"), dir.join("fifo again"))?;
    UnixListener::bind(dir.join("socket"))?;
    symlink("nowhere", dir.join("dangling"))?;
    symlink("x".repeat(4000), dir.join("long link"))?;
    fs::hard_link(dir.join("dangling"), dir.join("dangling again"))?;
    lsetxattr(
        dir.join("dangling"),
        "trusted.note",
        b"on a link",
        XattrFlags::empty(),
    )?;
    lsetxattr(
        dir.join("null"),
        "trusted.note",
        b"on a device",
        XattrFlags::empty(),
    )?;
    chown(&dir.join("dangling"), 7, 9)?;
    chown(&dir.join("null"), 65534, 65534)
}

fn contents(upper: &Path) -> io::Result<()> {
    let dir = upper.join("contents");
    fs::create_dir(&dir)?;
    for size in [
        0,
        1,
        4095,
        4096,
        65_537,
        (1 << 20) - 1,
        1 << 20,
        (3 << 20) + 5,
    ] {
        let data: Vec<u8> = (0..size)
            .map(|n: usize| (n % 253).to_le_bytes()[0])
            .collect();
        fs::write(dir.join(format!("{size} bytes")), data)?;
    }
    let sparse = File::create(dir.join("sparse"))?;
    sparse.set_len(10 << 30)?;
    sparse.write_all_at(b"head", 0)?;
    sparse.write_all_at(&[1; 5000], 5 << 30)?;
    sparse.write_all_at(b"tail", (10 << 30) - 4)?;
    File::create(dir.join("only a hole"))?.set_len(1 << 20)?;
    let ragged = File::create(dir.join("ragged"))?;
    (0..50).try_for_each(|n| ragged.write_all_at(&[n; 4096], u64::from(n) * 12_288))
}

fn links(upper: &Path) -> io::Result<()> {
    fs::create_dir_all(upper.join("links/one"))?;
    fs::create_dir_all(upper.join("links/two"))?;
    fs::write(upper.join("links/original"), "a thousand names")?;
    for n in 0..999 {
        let side = if n % 2 == 0 { "one" } else { "two" };
        fs::hard_link(
            upper.join("links/original"),
            upper.join(format!("links/{side}/{n}")),
        )?;
    }
    Ok(())
}

fn attributes(upper: &Path) -> io::Result<()> {
    let dir = upper.join("attributes");
    fs::create_dir(&dir)?;
    let file = |name: &str, mode| -> io::Result<PathBuf> {
        let path = dir.join(name);
        fs::write(&path, name)?;
        chown(&path, 1000, 1001)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(path)
    };
    file("set-id", 0o6755)?;
    file("unreadable", 0)?;
    // Version 2, effective, cap_net_raw: include/uapi/linux/capability.h.
    let capability = [
        1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    set(&file("capable", 0o755)?, "security.capability", &capability)?;
    set(
        &file("listed", 0o640)?,
        "system.posix_acl_access",
        &access_list(),
    )?;
    let many = file("many", 0o644)?;
    for n in 0..16 {
        set(&many, &format!("user.number{n}"), &[n; 4090])?;
    }
    set(&many, "user.empty", b"")?;
    set(&many, "trusted.secret", b"\0\xff")?;
    let inherits = dir.join("inherits");
    fs::create_dir(&inherits)?;
    fs::write(inherits.join("older than the list"), "plain")?;
    set(&inherits, "system.posix_acl_default", &access_list())?;
    fs::set_permissions(&inherits, fs::Permissions::from_mode(0o3770))?;
    let closed = dir.join("closed");
    fs::create_dir(&closed)?;
    fs::write(closed.join("inside"), "still copied")?;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0))
}

/// An access list that gives user 1000 the right to read: Linux's xattr form, version 2.
fn access_list() -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, u32::MAX),
        (0x02, 4, 1000),
        (0x04, 4, u32::MAX),
        (0x10, 4, u32::MAX),
        (0x20, 0, u32::MAX),
    ];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend_from_slice(&tag.to_le_bytes());
        list.extend_from_slice(&rights.to_le_bytes());
        list.extend_from_slice(&id.to_le_bytes());
    }
    list
}

/// A path of 10 KB in long names, and one of 1,500 short ones.
fn depth(upper: &Path) -> io::Result<()> {
    for (top, name, levels) in [
        ("long", "d".repeat(255), 40),
        ("deep", "d".to_owned(), 1500),
    ] {
        fs::create_dir(upper.join(top))?;
        let mut dir = File::open(upper.join(top))?;
        for _ in 0..levels {
            mkdirat(&dir, &*name, Mode::from_raw_mode(0o751))?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            dir = openat(&dir, &*name, flags, Mode::empty())?.into();
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        let file = openat(&dir, "bottom", flags, Mode::from_raw_mode(0o644))?;
        File::from(file).write_all(b"found")?;
    }
    Ok(())
}

fn locked(upper: &Path) -> io::Result<()> {
    let dir = upper.join("locked");
    fs::create_dir(&dir)?;
    fs::write(dir.join("immutable"), "for ever")?;
    fs::hard_link(dir.join("immutable"), dir.join("immutable again"))?;
    fs::write(dir.join("log"), "append only")?;
    fs::create_dir(dir.join("closed"))?;
    fs::write(dir.join("closed/file"), "in an immutable directory")?;
    flag(&dir.join("immutable"), IFlags::IMMUTABLE)?;
    flag(&dir.join("log"), IFlags::APPEND | IFlags::NODUMP)?;
    flag(&dir.join("closed"), IFlags::IMMUTABLE)
}

fn times(upper: &Path) -> io::Result<()> {
    fs::create_dir(upper.join("times"))?;
    for (name, secs) in [
        ("old", -86_400),
        ("late", 4_000_000_000),
        ("dir", 1_000_000_000),
    ] {
        let path = upper.join("times").join(name);
        if name == "dir" {
            fs::create_dir(&path)?
        } else {
            fs::write(&path, name)?
        }
        let stamp = |tv_nsec| Timespec {
            tv_sec: secs,
            tv_nsec,
        };
        let times = Timestamps {
            last_access: stamp(987_654_321),
            last_modification: stamp(123_456_789),
        };
        utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

fn set(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    Ok(setxattr(path, name, value, XattrFlags::empty())?)
}

fn chown(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))
}

fn flag(path: &Path, flags: IFlags) -> io::Result<()> {
    let file = File::open(path)?;
    Ok(ioctl_setflags(
        file.as_fd(),
        ioctl_getflags(file.as_fd())? | flags,
    )?)
}
