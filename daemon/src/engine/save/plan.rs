//! What a save is about to do, and whether there is room for it.

use wendy_layers::{Exclude, Forecast, Index, Look};
use wendy_store::{Generation, SessionId, SessionRecord};
use wendy_sys::mount::Space;

use super::Context;
use crate::{
    engine::{Error, Result},
    jobs::Facts,
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
    /// How much of the upper layer is copied.
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

impl SavePlan {
    /// The patterns, ready to be used.
    pub(super) fn excluded(&self) -> Result<Exclude> {
        Ok(Exclude::new(self.exclude.iter().map(String::as_str))?)
    }

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
