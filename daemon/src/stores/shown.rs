//! A session of a store as everybody is shown it, whoever has looked into the store. Pure.

use wendy_store::{GenerationRecord, SessionRecord};

use crate::model::{OwnSave, Session, SessionKey, SessionState, StoreKey, World};

/// What was found of a session.
#[derive(Debug)]
pub struct Seen<'a> {
    /// What it is called.
    pub key: SessionKey,
    /// Its record.
    pub record: &'a SessionRecord,
    /// Its last complete save.
    pub saved: Option<&'a GenerationRecord>,
    /// What a stock image needs to start it; empty if it cannot.
    pub kernel_parameters: String,
    /// The store it is in.
    pub store: StoreKey,
}

/// The session, as it is for the system that runs.
pub fn session(world: &World, seen: Seen<'_>) -> Session {
    let (live, record, saved) = (&world.live, seen.record, seen.saved);
    let same_image = live.base_image == record.base.as_str();
    let ours = world.own_saves.get(&SessionKey::new(record.id));
    let is_ours = |saved| ours.is_some_and(|ours| ours.contains(&OwnSave::of(saved)));
    Session {
        name: record.name.to_string(),
        stack: record.stack,
        upper_kind: record.upper,
        base_image: record.base.to_string(),
        compatible: live.stack == Some(record.stack) && same_image,
        created: record.created,
        saved: saved.map_or(0, |saved| saved.saved),
        generation: saved.map_or(0, |saved| saved.generation.number()),
        size: saved.map_or(0, |saved| saved.size),
        files: saved.map_or(0, |saved| saved.files),
        state: match saved {
            _ if live.running_session == Some(seen.key) => SessionState::Running,
            Some(_) => SessionState::Complete,
            None => SessionState::Incomplete,
        },
        saved_from_this_start: saved.is_some_and(is_ours),
        kernel: saved.map(|saved| saved.kernel.clone()).unwrap_or_default(),
        kernel_parameters: seen.kernel_parameters,
        store: seen.store,
    }
}
