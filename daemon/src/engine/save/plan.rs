//! Deciding how to save: which session, which generation, and what can be shared with the last one.

use std::os::fd::AsFd;

use wendy_layers::{Forecast, Index, Look};
use wendy_store::{Generation, Name, SessionId, SessionRecord};
use wendy_sys::mount::Space;

use super::{Context, SaveRequest, exclude, generation};
use crate::{
    engine::{Error, Result, source::StartedFrom},
    jobs::Facts,
    stores::{Saved, StoredSession, links, records, sessions},
};

/// Kept free for the records of a save and for what the forecast cannot know.
pub(super) const RESERVE: u64 = 1 << 20;

/// How a save will be made.
#[derive(Debug)]
pub struct SavePlan {
    /// The session.
    pub session: SessionId,
    /// Its record, as it will be.
    pub record: SessionRecord,
    /// Whether the session is there already. What has no complete save is a leftover.
    pub exists: bool,
    /// How.
    pub way: Way,
    /// The generation that counts now.
    pub current: Option<Generation>,
    /// The generation that will be made, if one is.
    pub next: Generation,
    /// Whether stock images will start this session.
    pub default: bool,
    /// All patterns of what is left out.
    pub exclude: Vec<String>,
    /// What there is to write.
    pub forecast: Forecast,
    /// How closely was looked for that.
    pub look: Look,
    /// What the upper layer looked like when it was saved last.
    pub index: Option<Index>,
    /// Room in the store.
    pub room: Space,
    /// It would fit in the place of the last save, though not beside it.
    pub fits_overwriting: bool,
}

/// How a save is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Everything is copied.
    Full,
    /// What changed is copied, the rest shared with the generation that counts now.
    Update,
    /// Nothing changed since that one was made.
    Nothing {
        /// That one.
        generation: Generation,
    },
    /// The system runs on that one, so that its changes are in it already.
    Checkpoint {
        /// That one.
        generation: Generation,
    },
}

/// Decides.
pub(super) fn make(context: Context<'_>, request: &SaveRequest, look: Look) -> Result<SavePlan> {
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
    let compiled = wendy_layers::Exclude::new(exclude.iter().map(String::as_str))?;
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

pub(super) fn excluded(plan: &SavePlan) -> Result<wendy_layers::Exclude> {
    let patterns = plan.exclude.iter().map(String::as_str);
    Ok(wendy_layers::Exclude::new(patterns)?)
}

/// The session the system runs on, if that lies in this store.
pub(super) fn running(context: Context<'_>) -> Result<Option<StartedFrom>> {
    let store = context.store.devnum()?;
    Ok(context
        .source
        .started_from
        .filter(|started| started.store == store))
}

impl SavePlan {
    /// Refuses a save that cannot fit beside what must stay.
    pub(super) fn check_room(&self, context: Context<'_>) -> Result<()> {
        let room = context.store.space()?;
        if self.fits(&room) {
            return Ok(());
        }
        let what = format!("the store {:?}", context.store.record().name.as_str());
        let (have, need) = (room.available, self.space());
        if have < need {
            return Err(Error::NoSpace { what, have, need });
        }
        Err(Error::NoInodes {
            what,
            have: room.free_inodes,
            need: self.inodes(),
        })
    }

    fn fits(&self, room: &Space) -> bool {
        self.space() <= room.available && self.inodes() <= room.free_inodes
    }

    /// Bytes needed in the store.
    pub fn space(&self) -> u64 {
        if self.copies() {
            self.forecast.space.saturating_add(RESERVE)
        } else {
            0
        }
    }

    fn inodes(&self) -> u64 {
        if self.copies() {
            self.forecast.inodes
        } else {
            0
        }
    }

    fn copies(&self) -> bool {
        matches!(self.way, Way::Full | Way::Update)
    }

    /// The plan for the bus, but for the session as an object.
    pub fn facts(&self) -> Facts {
        let exclude = self.exclude.iter().map(|pattern| format!("/{pattern}"));
        Facts::new()
            .with("name", self.record.name.as_str())
            .with("default", self.default)
            .with("exclude", exclude.collect::<Vec<_>>())
            .with("entries", self.forecast.total.entries)
            .with("bytes", self.forecast.total.bytes)
            .with("changed-entries", self.forecast.changed.entries)
            .with("changed-bytes", self.forecast.changed.bytes)
            .with("removed-entries", self.forecast.removed)
            .with("space", self.space())
            .with("free", self.room.available)
            .with("fits", self.fits(&self.room))
            .with("fits-overwriting", self.fits_overwriting)
    }
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
            records::now(),
        ));
    };
    let mut record = old.clone();
    if !request.name.is_empty() {
        record.name = Name::new(request.name.as_str())?;
        saved.check_name(record.name.as_str(), Some(record.id))?;
    }
    if record.format.writable().is_err() {
        let what = format!("the session {:?}", old.name.as_str());
        return Err(Error::NewerFormat {
            what,
            format: record.format.number(),
        });
    }
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
