//! Renaming, choosing the default, deleting and checking what is in a store.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{OFlags, fsync, renameat};
use wendy_store::{Name, SessionId, layout};
use wendy_sys::{dir, step};

use super::{During, Error, Result, Watch, os, source::StartedFrom};
use crate::{
    jobs::Phase,
    stores::{OpenStore, Saved, leftovers, links, records, sessions},
};

mod check;

pub use check::{Checked, Verdict, check};

/// Gives a store another name; in an image file, the marker beside the file is changed as well.
///
/// # Errors
/// [`Error::BadName`], [`Error::ReadOnly`], [`Error::NewerFormat`].
pub fn rename_store(store: &OpenStore, name: &str) -> Result<()> {
    let name = Name::new(name)?;
    store.check_writable()?;
    for (root, mut record) in store.markers()? {
        record.name = name.clone();
        let casper = sessions::open_dir(root, layout::ROOT, "the directory of the store")?;
        records::write_store(casper.as_fd(), &record)?;
    }
    store.sync()
}

/// Gives a session another name.
///
/// # Errors
/// [`Error::BadName`], [`Error::NameTaken`], [`Error::NotFound`] and what writing may meet.
pub fn rename_session(store: &OpenStore, id: SessionId, name: &str) -> Result<()> {
    let name = Name::new(name)?;
    store.check_writable()?;
    let saved = Saved::read(store.root())?;
    let mut record = saved.get(id)?.record.clone();
    record.name = name;
    saved.check_name(record.name.as_str(), Some(id))?;
    let session = sessions::open(store.root(), id)?;
    records::write_session(session.as_fd(), &record)?;
    store.sync()
}

/// Makes a session the one that stock images start.
///
/// # Errors
/// [`Error::Corrupt`] if it has no complete save, [`Error::NotSupported`] on a store that keeps an
/// older kind of session in its root.
pub fn set_default(store: &OpenStore, id: SessionId) -> Result<()> {
    store.check_writable()?;
    let saved = Saved::read(store.root())?;
    let session = saved.get(id)?;
    if session.saved.is_none() {
        let what = format!("the session {:?}", session.record.name.as_str());
        return Err(Error::Corrupt {
            what,
            why: "it has no complete save".to_owned(),
        });
    }
    links::set_default(store.root(), Some(id))?;
    store.sync()
}

/// Removes a session. It is none from the first rename on; removing its files takes longer, and
/// what an interruption leaves of them is removed by the next save.
///
/// # Errors
/// [`Error::Running`] for the session the system runs on.
pub fn delete_session(
    store: &OpenStore,
    id: SessionId,
    running: Option<StartedFrom>,
    watch: &dyn Watch,
) -> Result<()> {
    store.check_writable()?;
    let saved = Saved::read(store.root())?;
    refuse_running(store, id, running, &saved)?;
    refuse_newer(&saved, id)?;
    watch.phase(Phase::Committing);
    watch.point_of_no_return()?;
    if links::default_session(store.root())? == Some(id) {
        step("delete.default").during("choosing another default")?;
        links::set_default(store.root(), successor(&saved, id))?;
    }
    step("delete.rename").during("removing the session")?;
    let all = sessions::open_dir(store.root(), layout::SESSIONS, "the sessions")?;
    let gone = hide(all.as_fd(), id)?;
    step("delete.remove").during("removing the session")?;
    watch.phase(Phase::Removing);
    leftovers::remove_tree(all.as_fd(), &gone, watch)?;
    store.sync()
}

fn refuse_running(
    store: &OpenStore,
    id: SessionId,
    running: Option<StartedFrom>,
    saved: &Saved,
) -> Result<()> {
    let devnum = store.devnum()?;
    if running.is_none_or(|running| running.store != devnum || running.session != id) {
        return Ok(());
    }
    let name = saved.get(id).map_or_else(
        |_| id.to_string(),
        |session| session.record.name.to_string(),
    );
    Err(Error::Running(name))
}

/// A damaged session can be deleted, one that only a newer wendy understands cannot.
fn refuse_newer(saved: &Saved, id: SessionId) -> Result<()> {
    match saved.get(id) {
        Ok(session) => {
            let what = format!("the session {:?}", session.record.name.as_str());
            records::check_format(session.record.format, &what)
        }
        Err(Error::Corrupt { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The session saved last of the same stack becomes the default instead.
fn successor(saved: &Saved, gone: SessionId) -> Option<SessionId> {
    let stack = saved.get(gone).ok()?.record.stack;
    let others = saved
        .sessions
        .iter()
        .filter(|other| other.record.id != gone && other.record.stack == stack);
    let complete = others.filter_map(|other| Some((other.saved.as_ref()?.saved, other.record.id)));
    complete.max().map(|(_, id)| id)
}

/// Renames the session so that it is none any more.
fn hide(all: BorrowedFd<'_>, id: SessionId) -> Result<String> {
    let what = "removing the session";
    let gone = format!("{}{id}", leftovers::DELETED);
    renameat(all, id.to_string(), all, &gone)
        .map_err(os(what))
        .during(what)?;
    let dir = dir::open_beneath(all, ".", OFlags::RDONLY | OFlags::DIRECTORY).during(what)?;
    fsync(&dir).map_err(os(what)).during(what)?;
    Ok(gone)
}
