//! What interrupted operations leave in a store, and its removal.
//!
//! A generation counts only while the link `current` of its session names it, a session only while
//! it has that link. So everything else of our making is recognised without a journal.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use wendy_layers::Progress;
use wendy_store::{Generation, SessionId, layout};
use wendy_sys::dir;

use super::{links, records, sessions};
use crate::error::{During, Error, Result};

/// A session that is being removed is called this and its id, so that it is one no more.
pub const DELETED: &str = ".deleted-";

/// A generation that the running system is started from; it stays, whatever the links say.
pub type Running = Option<(SessionId, Generation)>;

/// Something to be removed.
#[derive(Debug)]
struct Leftover {
    parent: OwnedFd,
    name: String,
}

/// Removes all leftovers of the store with this root, and says how many there were.
///
/// # Errors
/// Of the kernel, and [`Error::Cancelled`].
pub fn remove(root: BorrowedFd<'_>, running: Running, progress: &dyn Progress) -> Result<usize> {
    let found = find(root, running)?;
    for leftover in &found {
        remove_tree(leftover.parent.as_fd(), &leftover.name, progress)?;
    }
    Ok(found.len())
}

/// Removes the directory `name` and everything below it.
///
/// # Errors
/// Of the kernel, and [`Error::Cancelled`].
pub fn remove_tree(parent: BorrowedFd<'_>, name: &str, progress: &dyn Progress) -> Result<()> {
    Ok(wendy_layers::remove_tree(parent, name.as_ref(), progress)?)
}

fn find(root: BorrowedFd<'_>, running: Running) -> Result<Vec<Leftover>> {
    let mut found = Vec::new();
    let all = match sessions::open_dir(root, layout::SESSIONS, "the sessions") {
        Err(Error::NotFound(_)) => return Ok(found),
        other => other?,
    };
    for entry in dir::entries(&all).during("listing the sessions")? {
        let Some(name) = entry.name.to_str() else {
            continue;
        };
        if name.starts_with(DELETED) {
            found.push(Leftover {
                parent: clone(&all)?,
                name: name.to_owned(),
            });
        } else if let Ok(id) = name.parse() {
            find_in_session(&all, id, running, &mut found)?;
        }
    }
    Ok(found)
}

/// A session without a link `current` never had a complete save; of others, all generations but
/// that one are left over. A session of a newer format is not ours to judge.
fn find_in_session(
    all: &OwnedFd,
    id: SessionId,
    running: Running,
    found: &mut Vec<Leftover>,
) -> Result<()> {
    let name = id.to_string();
    let session = sessions::open_dir(all.as_fd(), &name, "a session")?;
    match records::read_session(session.as_fd(), "a session") {
        Ok(record) if record.format.writable().is_err() => return Ok(()),
        Err(Error::Corrupt { .. }) => return Ok(()),
        _ => {}
    }
    let is_running = running.is_some_and(|(session, _)| session == id);
    match links::current(session.as_fd())? {
        None if is_running || has_current(&session)? => Ok(()),
        None => {
            found.push(Leftover {
                parent: clone(all)?,
                name,
            });
            Ok(())
        }
        Some(current) => {
            let kept = [
                Some(current),
                running
                    .filter(|_| is_running)
                    .map(|(_, generation)| generation),
            ];
            find_generations(&session, kept, found)
        }
    }
}

/// Whether something is called `current`, even if it makes no sense: then it is damage, not a
/// leftover.
fn has_current(session: &OwnedFd) -> Result<bool> {
    let entries = dir::entries(session).during("listing a session")?;
    Ok(entries.iter().any(|entry| entry.name == layout::CURRENT))
}

fn find_generations(
    session: &OwnedFd,
    kept: [Option<Generation>; 2],
    found: &mut Vec<Leftover>,
) -> Result<()> {
    let what = "the saves of a session";
    let all = match sessions::open_dir(session.as_fd(), layout::GENERATIONS, what) {
        // Damage of one session keeps no other from being saved.
        Err(Error::NotFound(_) | Error::Corrupt { .. }) => return Ok(()),
        other => other?,
    };
    for entry in dir::entries(&all).during("listing the saves of a session")? {
        let number = entry
            .name
            .to_str()
            .and_then(|name| name.parse::<Generation>().ok());
        if let Some(number) = number.filter(|number| !kept.contains(&Some(*number))) {
            found.push(Leftover {
                parent: clone(&all)?,
                name: number.to_string(),
            });
        }
    }
    Ok(())
}

fn clone(dir: &OwnedFd) -> Result<OwnedFd> {
    dir.try_clone().map_err(|source| Error::System {
        what: "keeping a directory open".to_owned(),
        source: wendy_sys::Error::Os {
            what: "duplicate a descriptor".to_owned(),
            source,
        },
    })
}
