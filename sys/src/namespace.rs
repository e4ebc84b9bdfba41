//! Mounts that lie outside of the root directory of every process.
//!
//! An initramfs that mounts the new root over `/` leaves its other mounts alive but without a
//! path: the overlay still uses them, nobody can name them. In a copy of the mount namespace the
//! new root can be taken away, and what lies under it has names again. That copy belongs to a
//! helper process, this program started anew; nothing changes for anybody else, and what the
//! helper found comes back as detached mounts.

mod helper;

use std::{
    io::IoSliceMut,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType,
    recvmsg, socketpair,
};

use crate::{
    Cancel, Error, Result,
    error::Context,
    mount::DetachedMount,
    mountinfo::{self, Mount},
    tool::Tool,
};

pub use helper::hidden_main;

/// First argument by which a program that calls [`open_hidden`] recognises that it is its own
/// helper and has to call [`hidden_main`], before it starts any thread.
pub const HIDDEN_COMMAND: &str = "open-hidden-mounts";

/// Most paths one call may ask for: what fits into one message (unix(7): `SCM_MAX_FD`).
const MOST_PATHS: usize = 253;

/// What lies under the root directory.
#[derive(Debug)]
pub struct Hidden {
    /// The mount table as it would be without the present root, each with the path it had then.
    pub mounts: Vec<Mount>,
    /// For each path asked for the tree found there, read-only; `None` where there is nothing.
    pub trees: Vec<Option<DetachedMount>>,
}

/// Opens `paths` as they were before the present root was mounted over `/`.
///
/// Needs `CAP_SYS_ADMIN` and `CAP_SYS_CHROOT`, and a `main` that obeys [`HIDDEN_COMMAND`].
/// Fails without any effect when the mount under the root is shared with other namespaces.
pub fn open_hidden(paths: &[&Path], cancel: &Cancel) -> Result<Hidden> {
    if paths.len() > MOST_PATHS {
        return Err(Error::TooLarge {
            what: "list of hidden paths".into(),
            limit: MOST_PATHS,
        });
    }
    let what = || "make a socket pair".to_owned();
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .during(what)?;
    let output = Tool::own_program()
        .arg(HIDDEN_COMMAND)
        .arg(theirs.as_raw_fd().to_string())
        .args(paths)
        .pass_fd(theirs.as_fd())
        .run(cancel)?;
    let trees = receive(&ours, paths.len())?;
    Ok(Hidden {
        mounts: mountinfo::parse(&output.stdout)?,
        trees,
    })
}

/// Takes the helper's one message: a byte per path that says whether a descriptor is there.
fn receive(socket: &OwnedFd, paths: usize) -> Result<Vec<Option<DetachedMount>>> {
    let mut found = vec![0; paths + 1];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_PATHS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut found)],
        &mut ancillary,
        flags,
    )
    .during(|| "receive hidden mounts".into())?;
    let mut fds: Vec<OwnedFd> = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let present = found[..paths].iter().filter(|&&there| there == 1).count();
    if received.bytes != paths + 1 || present != fds.len() {
        return Err(Error::invalid(
            "hidden mounts",
            "the helper's answer is incomplete",
        ));
    }
    let mut fds = fds.into_iter();
    let adopt = |&there| if there == 1 { fds.next() } else { None }.map(DetachedMount::new);
    found[..paths]
        .iter()
        .map(adopt)
        .map(Option::transpose)
        .collect()
}
