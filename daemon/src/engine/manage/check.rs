//! Reading every file back and comparing it with what was written.

use std::{
    fs::File,
    io::BufReader,
    os::fd::{AsFd, OwnedFd},
};

use rustix::fs::OFlags;
use wendy_layers::manifest;
use wendy_store::{SessionId, layout};
use wendy_sys::dir;

use crate::{
    engine::{Error, Result, Watch, save::MANIFEST},
    jobs::Phase,
    stores::{OpenStore, Saved, StoredSession, sessions},
};

pub use wendy_dbus::words::Verdict;

/// What a check found in one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The session.
    pub session: SessionId,
    /// Whether it is what it was when it was saved.
    pub verdict: Verdict,
    /// Entries that were read.
    pub entries: u64,
    /// Bytes of the session, if it was read.
    pub bytes: u64,
    /// Entries that differ.
    pub damaged: u64,
}

/// Checks one session, or all.
///
/// # Errors
/// When the store cannot be read at all; damage of a session is a result.
pub fn check(
    store: &OpenStore,
    only: Option<SessionId>,
    watch: &dyn Watch,
) -> Result<Vec<Checked>> {
    let saved = Saved::read(store.root())?;
    if let Some(id) = only {
        not_found(saved.get(id))?;
    }
    watch.phase(Phase::Comparing);
    let wanted = |id: SessionId| only.is_none_or(|only| only == id);
    let listed: Vec<_> = saved
        .sessions
        .iter()
        .filter(|session| wanted(session.record.id))
        .collect();
    let sizes = listed.iter().filter_map(|session| session.saved.as_ref());
    let (bytes, entries) = sizes.fold((0, 0), |sum, saved| {
        (sum.0 + saved.size, sum.1 + saved.entries)
    });
    watch.total(bytes, entries);
    let damaged = saved
        .damaged
        .iter()
        .filter(|(id, _)| wanted(*id))
        .map(|(id, _)| Ok(without_records(*id)));
    listed
        .into_iter()
        .map(|session| check_session(store, session, watch))
        .chain(damaged)
        .collect()
}

/// A damaged session is there.
fn not_found<T>(result: Result<T>) -> Result<()> {
    match result {
        Err(error @ Error::NotFound(_)) => Err(error),
        _ => Ok(()),
    }
}

fn without_records(session: SessionId) -> Checked {
    Checked {
        session,
        verdict: Verdict::Damaged,
        entries: 0,
        bytes: 0,
        damaged: 1,
    }
}

fn check_session(store: &OpenStore, session: &StoredSession, watch: &dyn Watch) -> Result<Checked> {
    let id = session.record.id;
    let Some(saved) = &session.saved else {
        return Ok(Checked {
            verdict: Verdict::Incomplete,
            damaged: 0,
            ..without_records(id)
        });
    };
    let found = Checked {
        bytes: saved.size,
        entries: saved.entries,
        ..without_records(id)
    };
    let dir = sessions::open(store.root(), id)?;
    let generation = sessions::open_generation(dir.as_fd(), saved.generation)?;
    let sound = |checked| match checked {
        Err(Error::Cancelled) => Err(Error::Cancelled),
        // What cannot be read is damaged; the rest of the store is still worth checking.
        other => Ok(other.unwrap_or(Checked {
            entries: 0,
            ..found.clone()
        })),
    };
    sound(check_generation(&generation, &found, watch))
}

fn check_generation(generation: &OwnedFd, found: &Checked, watch: &dyn Watch) -> Result<Checked> {
    let upper = sessions::open_dir(
        generation.as_fd(),
        layout::UPPER,
        "the files of the session",
    )?;
    if sessions::was_booted(generation.as_fd())? {
        return Ok(Checked {
            verdict: Verdict::Continued,
            damaged: 0,
            ..without_records(found.session)
        });
    }
    let file = dir::open_beneath(generation, MANIFEST, OFlags::RDONLY).map_err(|error| {
        Error::Corrupt {
            what: "the manifest".to_owned(),
            why: error.to_string(),
        }
    })?;
    let report = manifest::verify(upper.as_fd(), BufReader::new(File::from(file)), watch)?;
    let verdict = if report.is_intact() {
        Verdict::Complete
    } else {
        Verdict::Damaged
    };
    let damaged = report.damage.len() as u64 + report.unnamed;
    Ok(Checked {
        verdict,
        entries: report.entries,
        damaged,
        ..found.clone()
    })
}
