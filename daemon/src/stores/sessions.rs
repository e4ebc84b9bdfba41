//! The sessions in a store.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use wendy_store::{Generation, GenerationRecord, SessionId, SessionRecord, layout};
use wendy_sys::{Errno, dir};

use super::{links, records};
use crate::error::{During, Error, Result};

/// A session as it lies in a store.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// Its record.
    pub record: SessionRecord,
    /// Its last complete save; none if no save was ever completed.
    pub saved: Option<GenerationRecord>,
}

/// Everything below `casper/sessions` that is called as a session is.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// The sessions, in the order of their ids.
    pub sessions: Vec<StoredSession>,
    /// Those whose records are damaged, and how.
    pub damaged: Vec<(SessionId, String)>,
}

impl Saved {
    /// Reads all sessions of the store with this root.
    ///
    /// # Errors
    /// Of the kernel; damaged sessions are listed as such.
    pub fn read(root: BorrowedFd<'_>) -> Result<Saved> {
        let mut saved = Saved::default();
        for id in ids(root)? {
            match StoredSession::read(root, id) {
                Ok(Some(session)) => saved.sessions.push(session),
                Ok(None) => {}
                Err(Error::Corrupt { why, .. }) => saved.damaged.push((id, why)),
                Err(error) => return Err(error),
            }
        }
        Ok(saved)
    }

    /// The session with this id.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Corrupt`] if its records are damaged.
    pub fn get(&self, id: SessionId) -> Result<&StoredSession> {
        if let Some((_, why)) = self.damaged.iter().find(|(damaged, _)| *damaged == id) {
            return Err(Error::Corrupt {
                what: format!("the session {id}"),
                why: why.clone(),
            });
        }
        let found = self.sessions.iter().find(|session| session.record.id == id);
        found.ok_or_else(|| Error::NotFound(format!("the session {id}")))
    }

    /// Refuses a name that another session than `own` has.
    ///
    /// # Errors
    /// [`Error::NameTaken`].
    pub fn check_name(&self, name: &str, own: Option<SessionId>) -> Result<()> {
        let mut others = self
            .sessions
            .iter()
            .filter(|session| Some(session.record.id) != own);
        match others.any(|other| other.saved.is_some() && other.record.name.as_str() == name) {
            true => Err(Error::NameTaken(name.to_owned())),
            false => Ok(()),
        }
    }
}

impl StoredSession {
    /// Reads one session; none if there is no record, as when its first save was cut short early.
    fn read(root: BorrowedFd<'_>, id: SessionId) -> Result<Option<StoredSession>> {
        let what = format!("the session {id}");
        let session = open(root, id)?;
        let record = match records::read_session(session.as_fd(), &what) {
            Err(Error::NotFound(_)) => return Ok(None),
            other => other?,
        };
        if record.id != id {
            return Err(Error::Corrupt {
                what,
                why: format!("its record is of the session {}", record.id),
            });
        }
        let saved = match links::current(session.as_fd())? {
            None => None,
            Some(generation) => Some(read_generation(session.as_fd(), generation, &what)?),
        };
        Ok(Some(StoredSession { record, saved }))
    }
}

/// Opens the directory of a session.
///
/// # Errors
/// [`Error::NotFound`], or of the kernel.
pub fn open(root: BorrowedFd<'_>, id: SessionId) -> Result<OwnedFd> {
    open_dir(root, &layout::session_dir(id), &format!("the session {id}"))
}

/// Opens the directory of a generation in that of its session.
///
/// # Errors
/// [`Error::NotFound`], or of the kernel.
pub fn open_generation(session: BorrowedFd<'_>, generation: Generation) -> Result<OwnedFd> {
    open_dir(
        session,
        &layout::current_target(generation),
        &format!("generation {generation} of a session"),
    )
}

/// Opens a directory by its path below another.
///
/// # Errors
/// [`Error::NotFound`], or of the kernel.
pub fn open_dir(parent: BorrowedFd<'_>, path: &str, what: &str) -> Result<OwnedFd> {
    dir::open_beneath(parent, path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|error| match error
        .errno()
    {
        Some(Errno::NOENT) => Error::NotFound(what.to_owned()),
        Some(Errno::LOOP | Errno::NOTDIR) => Error::Corrupt {
            what: what.to_owned(),
            why: "something else stands in the place of a directory".to_owned(),
        },
        _ => Error::System {
            what: format!("opening {what}"),
            source: error,
        },
    })
}

/// Whether a system was started from this generation since it was saved: the kernel makes a
/// directory of its own in the work directory of an overlay.
///
/// # Errors
/// Of the kernel.
pub fn was_booted(generation: BorrowedFd<'_>) -> Result<bool> {
    let work = open_dir(generation, layout::WORK, "the work directory of a session")?;
    Ok(!dir::entries(&work)
        .during("looking at the work directory")?
        .is_empty())
}

fn ids(root: BorrowedFd<'_>) -> Result<Vec<SessionId>> {
    let sessions = match open_dir(root, layout::SESSIONS, "the sessions") {
        Err(Error::NotFound(_)) => return Ok(Vec::new()),
        other => other?,
    };
    let entries = dir::entries(&sessions).during("listing the sessions")?;
    Ok(entries
        .iter()
        .filter_map(|entry| entry.name.to_str()?.parse().ok())
        .collect())
}

fn read_generation(
    session: BorrowedFd<'_>,
    generation: Generation,
    what: &str,
) -> Result<GenerationRecord> {
    let missing = |why: &str| Error::Corrupt {
        what: what.to_owned(),
        why: why.to_owned(),
    };
    let opened =
        open_generation(session, generation).map_err(|_| missing("its last save is not there"))?;
    let record = records::read_generation(opened.as_fd(), what).map_err(|error| match error {
        Error::NotFound(_) => missing("the record of its last save is not there"),
        other => other,
    })?;
    if record.generation != generation {
        return Err(missing("the record of its last save is of another one"));
    }
    Ok(record)
}
