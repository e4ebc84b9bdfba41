//! The links by which stock images find the default session.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, OFlags, readlinkat, statat, unlinkat};
use wendy_store::{Generation, SessionId, Stack, layout};
use wendy_sys::{Errno, dir};

use crate::error::{During, Error, Result, os};

/// Writes the links in the root of a store. The first one keeps stock casper from rearranging it.
///
/// # Errors
/// Of the kernel; also when a directory stands in the place of a link.
pub fn write_root_links(root: BorrowedFd<'_>) -> Result<()> {
    for link in layout::ROOT_LINKS {
        dir::symlink_atomic(root, link.path, link.target).during("linking the default session")?;
    }
    Ok(())
}

/// Writes the links and the configuration that a session of `stack` needs in its directory.
///
/// # Errors
/// Of the kernel.
pub fn write_session_links(session: BorrowedFd<'_>, stack: Stack) -> Result<()> {
    let what = "laying out the session";
    for link in layout::session_links(stack) {
        dir::symlink_atomic(session, link.path, link.target).during(what)?;
    }
    if layout::has_persistence_conf(stack) {
        let content = layout::PERSISTENCE_CONF_CONTENT.as_bytes();
        dir::write_atomic(session, layout::PERSISTENCE_CONF, content, 0o644).during(what)?;
    }
    Ok(())
}

/// Which session stock images start from the store; none if they start none.
///
/// # Errors
/// Of the kernel.
pub fn default_session(root: BorrowedFd<'_>) -> Result<Option<SessionId>> {
    Ok(read_link(root, layout::DEFAULT)?
        .as_deref()
        .and_then(layout::parse_default))
}

/// Whether the root leads stock images to the default session. An adopted store of older kind may
/// keep a session of its own there, which stays.
///
/// # Errors
/// Of the kernel.
pub fn leads_to_default(root: BorrowedFd<'_>) -> Result<bool> {
    for link in layout::ROOT_LINKS {
        let stat = match statat(root, link.path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(errno) => {
                return Err(os("looking at the default session")(errno))
                    .during("looking at the default session");
            }
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes `session`, or nothing, what stock images start: one rename.
///
/// # Errors
/// [`Error::NotSupported`] on an adopted store whose root holds a session of its own.
pub fn set_default(root: BorrowedFd<'_>, session: Option<SessionId>) -> Result<()> {
    let what = "setting the default session";
    if !leads_to_default(root)? {
        let why = "this store keeps a session of another kind in its root, which stays the default";
        return Err(Error::NotSupported(why.to_owned()));
    }
    let casper =
        dir::open_beneath(root, layout::ROOT, OFlags::RDONLY | OFlags::DIRECTORY).during(what)?;
    for name in [layout::UPPER, layout::WORK] {
        dir::make_dir(root, format!("{}/{name}", layout::BLANK), 0o755).during(what)?;
    }
    dir::symlink_atomic(
        casper.as_fd(),
        DEFAULT_NAME,
        layout::default_target(session),
    )
    .during(what)?;
    // Last: on an adopted store they lead nowhere until now.
    if read_link(root, layout::ROOT_LINKS[0].path)?.as_deref() != Some(layout::ROOT_LINKS[0].target)
    {
        write_root_links(root)?;
    }
    Ok(())
}

/// The last complete generation of the session in this directory.
///
/// # Errors
/// Of the kernel; a link that leads elsewhere than a generation is none.
pub fn current(session: BorrowedFd<'_>) -> Result<Option<Generation>> {
    Ok(read_link(session, layout::CURRENT)?
        .as_deref()
        .and_then(layout::parse_current))
}

/// Makes `generation` the one that counts: one rename.
///
/// # Errors
/// Of the kernel; then the old one still counts.
pub fn set_current(session: BorrowedFd<'_>, generation: Generation) -> Result<()> {
    let target = layout::current_target(generation);
    dir::symlink_atomic(session, layout::CURRENT, target).during("making the new save valid")
}

/// Lets no generation of the session in this directory count.
///
/// # Errors
/// Of the kernel.
pub fn forget_current(session: BorrowedFd<'_>) -> Result<()> {
    let what = "giving up the last save";
    unlinkat(session, layout::CURRENT, AtFlags::empty())
        .map_err(os(what))
        .during(what)
}

/// [`layout::DEFAULT`] within its directory.
const DEFAULT_NAME: &str = "default";

/// What a link holds; none if there is nothing, or something that is no link.
fn read_link(dir: BorrowedFd<'_>, path: &str) -> Result<Option<String>> {
    match readlinkat(dir, path, Vec::new()) {
        Ok(target) => Ok(target.into_string().ok()),
        Err(Errno::NOENT | Errno::INVAL | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(os("reading a link")(errno)).during("reading a link"),
    }
}
