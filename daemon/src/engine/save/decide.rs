//! Deciding how to save: which session, which generation, and what can be shared with the last one.

use std::os::fd::AsFd;

use wendy_layers::{Exclude, Forecast, Index, Look};
use wendy_store::{Generation, Name, SessionId, SessionRecord};

use super::{Context, SavePlan, SaveRequest, Way, exclude, generation};
use crate::{
    clock,
    engine::{Error, Result, source::StartedFrom},
    stores::{Saved, StoredSession, links, records, sessions},
};

/// Plans a save, after having looked at the upper layer as closely as `look` says.
pub(super) fn plan(context: Context<'_>, request: &SaveRequest, look: Look) -> Result<SavePlan> {
    context.store.check_writable()?;
    let saved = Saved::read(context.store.root())?;
    let old = request.session.map(|id| saved.get(id)).transpose()?;
    let record = record(context, request, &saved, old)?;
    let current = old
        .and_then(|session| session.saved.as_ref())
        .map(|saved| saved.generation);
    let running = running(context)?.filter(|running| running.session == record.id);
    let exclude = exclude::patterns(&request.exclude, context.source)?;
    let mut index = usable_index(context, record.id, current)?;
    let compiled = Exclude::new(exclude.iter().map(String::as_str))?;
    let upper = context.source.upper.as_fd();
    let forecast = wendy_layers::forecast(upper, &compiled, index.as_mut(), look, context.watch)?;
    let way = way(current, running, index.as_ref().map(|_| &forecast));
    Ok(SavePlan {
        session: record.id,
        record,
        exists: current.is_some(),
        way,
        current,
        next: next(current, running)?,
        default: wants_default(context, request.default)?,
        exclude,
        forecast,
        look,
        index,
        room: context.store.space()?,
        fits_overwriting: false,
    })
}

/// The session the system runs on, if that lies in this store.
pub(super) fn running(context: Context<'_>) -> Result<Option<StartedFrom>> {
    let store = context.store.devnum()?;
    Ok(context
        .source
        .started_from
        .filter(|started| started.store == store))
}

/// The record of the session as it will be, if it may be written.
fn record(
    context: Context<'_>,
    request: &SaveRequest,
    saved: &Saved,
    old: Option<&StoredSession>,
) -> Result<SessionRecord> {
    let Some(old) = old.map(|session| &session.record) else {
        let name = Name::new(request.name.as_str())?;
        saved.check_name(name.as_str(), None)?;
        let source = context.source;
        return Ok(SessionRecord::new(
            SessionId::random(),
            name,
            source.stack,
            source.base.clone(),
            clock::now(),
        ));
    };
    let mut record = old.clone();
    if !request.name.is_empty() {
        record.name = Name::new(request.name.as_str())?;
        saved.check_name(record.name.as_str(), Some(record.id))?;
    }
    let what = format!("the session {:?}", old.name.as_str());
    records::check_format(record.format, &what)?;
    let same_image = record.base == context.source.base && record.stack == context.source.stack;
    if same_image {
        Ok(record)
    } else {
        Err(Error::OtherBase(old.name.to_string()))
    }
}

/// What is remembered of the last save, if its generation is still what was saved then: one that a
/// system was started from has changed on the medium.
fn usable_index(
    context: Context<'_>,
    session: SessionId,
    current: Option<Generation>,
) -> Result<Option<Index>> {
    let Some(current) = current else {
        return Ok(None);
    };
    let dir = sessions::open(context.store.root(), session)?;
    let dir = sessions::open_generation(dir.as_fd(), current)?;
    let Some(identity) = generation::identity(dir.as_fd(), current)? else {
        return Ok(None);
    };
    if sessions::was_booted(dir.as_fd())? {
        return Ok(None);
    }
    Ok(context.indexes.read(session, &identity, context.source))
}

fn way(
    current: Option<Generation>,
    running: Option<StartedFrom>,
    update: Option<&Forecast>,
) -> Way {
    match (current, running, update) {
        (Some(generation), Some(running), _) if running.generation == generation => {
            Way::Checkpoint { generation }
        }
        (Some(generation), _, Some(update)) if update.is_unchanged() => Way::Nothing { generation },
        (Some(_), _, Some(_)) => Way::Update,
        _ => Way::Full,
    }
}

/// A number that neither the generation that counts nor the one the system runs on has. None is left
/// only after one that somebody made up.
fn next(current: Option<Generation>, running: Option<StartedFrom>) -> Result<Generation> {
    let highest = current.max(running.map(|running| running.generation));
    let next = highest.map_or(Generation::FIRST, Generation::next);
    if Some(next) == highest {
        let why = "this session has the last number a save can have; save under a new name";
        return Err(Error::NotSupported(why.to_owned()));
    }
    Ok(next)
}

fn wants_default(context: Context<'_>, asked: Option<bool>) -> Result<bool> {
    let root = context.store.root();
    let possible = links::leads_to_default(root)?;
    match asked {
        Some(true) if !possible => {
            let why =
                "this store keeps a session of another kind in its root, which stays the default";
            Err(Error::NotSupported(why.to_owned()))
        }
        Some(asked) => Ok(asked),
        None => Ok(possible && links::default_session(root)?.is_none()),
    }
}

#[cfg(test)]
mod tests {
    use wendy_layers::Totals;
    use wendy_sys::DevNum;

    use super::*;

    fn started(generation: Generation) -> Option<StartedFrom> {
        Some(StartedFrom {
            store: DevNum::new(1),
            session: SessionId::random(),
            generation,
        })
    }

    fn forecast(changed: u64, removed: u64) -> Forecast {
        let total = Totals {
            entries: 9,
            ..Totals::default()
        };
        let changed = Totals {
            entries: changed,
            ..Totals::default()
        };
        Forecast {
            total,
            changed,
            removed,
            space: 0,
            inodes: 0,
        }
    }

    #[test]
    fn what_can_be_shared_decides_the_way() {
        let one = Generation::FIRST;
        let (unchanged, changed, removed) = (forecast(0, 0), forecast(1, 0), forecast(0, 1));
        assert_eq!(way(None, None, None), Way::Full);
        assert_eq!(way(Some(one), None, None), Way::Full);
        assert_eq!(way(Some(one), None, Some(&changed)), Way::Update);
        assert_eq!(way(Some(one), None, Some(&removed)), Way::Update);
        assert_eq!(
            way(Some(one), None, Some(&unchanged)),
            Way::Nothing { generation: one }
        );
        assert_eq!(
            way(Some(one), started(one), Some(&changed)),
            Way::Checkpoint { generation: one }
        );
    }

    #[test]
    fn a_generation_the_system_runs_on_is_never_made_anew() {
        let one = Generation::FIRST;
        let two = one.next();
        assert_eq!(way(Some(one), started(two), None), Way::Full);
        assert_eq!(next(Some(one), started(two)).unwrap(), two.next());
        assert_eq!(next(None, None).unwrap(), one);
    }
}
