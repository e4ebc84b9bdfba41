//! The helper's side: a process of one thread in a mount namespace of its own.

use std::{
    ffi::OsString,
    io::{self, IoSlice, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        linux::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    process::ExitCode,
};

use nix::sched::{CloneFlags, setns, unshare};
use rustix::{
    fs::{CWD, Mode, OFlags, open, openat},
    io::Errno,
    mount::{
        MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount,
    },
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
};

use crate::{
    Error, Result,
    error::Context,
    mount::{DetachedMount, MountFlags, clone_detached},
    tool::inherited,
};

const NAMESPACE: &str = "/proc/self/ns/mnt";

/// The whole work of the helper. `args` are the program's arguments after
/// [`HIDDEN_COMMAND`](super::HIDDEN_COMMAND); the result is what `main` returns.
///
/// The process must have a single thread and must not do anything else afterwards.
pub fn hidden_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(args.into_iter()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The caller puts this into its own error.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = OsString>) -> Result<()> {
    let socket = socket(args.next())?;
    let paths: Vec<_> = args.map(PathBuf::from).collect();
    let proc = open_path("/proc")?;
    let namespace = enter_private_namespace()?;
    take_root_away(namespace.as_fd())?;
    let trees: Vec<_> = paths
        .iter()
        .map(|path| open_tree(path))
        .collect::<Result<_>>()?;
    answer(socket.as_fd(), &trees)?;
    let table = openat(
        proc,
        "self/mountinfo",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let mut table = std::fs::File::from(table.during(|| "open the mount table".into())?);
    io::copy(&mut table, &mut io::stdout())
        .map(drop)
        .during(|| "pass on the mount table".into())
}

/// Leaves the caller's mount namespace for a copy of which nothing spreads; proves that it did.
fn enter_private_namespace() -> Result<OwnedFd> {
    let before = namespace_number()?;
    unshare(CloneFlags::CLONE_NEWNS).during(|| "copy the mount namespace".into())?;
    if namespace_number()? == before {
        return Err(Error::invalid(
            "mount namespace",
            "still the caller's after unshare",
        ));
    }
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).during(|| "make the mounts private".into())?;
    refuse_shared_parent()?;
    open_path(NAMESPACE)
}

/// Unmounts spread along the mount that carries the unmounted one, here the one under `/`, which
/// has no path to make it private by. The kernel refuses to move a mount away from a shared one
/// with `EINVAL` before it looks whether the place to move to lies within, which gives `ELOOP`.
fn refuse_shared_parent() -> Result<()> {
    match move_mount(CWD, "/", CWD, "/proc", MoveMountFlags::empty()) {
        Err(Errno::LOOP) => Ok(()),
        _ => Err(Error::invalid(
            "mount under the root",
            "shared with other namespaces",
        )),
    }
}

/// Takes the root directory out of this namespace and steps onto what lies under it.
fn take_root_away(namespace: BorrowedFd<'_>) -> Result<()> {
    unmount("/", UnmountFlags::DETACH).during(|| "take the root away".into())?;
    setns(namespace, CloneFlags::CLONE_NEWNS).during(|| "step onto the mount under the root".into())
}

/// Nothing in the found trees can be changed, run or opened as a device.
fn open_tree(path: &Path) -> Result<Option<DetachedMount>> {
    match clone_detached(
        CWD,
        path,
        MountFlags {
            nosymfollow: false,
            ..MountFlags::UNTRUSTED
        },
    ) {
        Ok(tree) => Ok(Some(tree)),
        Err(error) if error.errno() == Some(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One message: a byte per path and one at the end, with the descriptors that are there.
fn answer(socket: BorrowedFd<'_>, trees: &[Option<DetachedMount>]) -> Result<()> {
    let mut there: Vec<u8> = trees.iter().map(|tree| u8::from(tree.is_some())).collect();
    there.push(0);
    let fds: Vec<_> = trees.iter().flatten().map(DetachedMount::tree).collect();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(super::MOST_PATHS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Error::TooLarge {
            what: "answer".into(),
            limit: super::MOST_PATHS,
        });
    }
    sendmsg(
        socket,
        &[IoSlice::new(&there)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )
    .map(drop)
    .during(|| "answer the caller".into())
}

fn namespace_number() -> Result<u64> {
    let link = std::fs::metadata(NAMESPACE).during(|| format!("look at {NAMESPACE}"))?;
    Ok(link.st_ino())
}

fn open_path(path: &str) -> Result<OwnedFd> {
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during(|| format!("open {path}"))
}

/// The socket whose number the caller passed on the command line.
fn socket(number: Option<OsString>) -> Result<OwnedFd> {
    let number = number.and_then(|number| number.to_str()?.parse().ok());
    inherited(number.ok_or_else(|| Error::invalid("helper", "started without its socket"))?)
}
