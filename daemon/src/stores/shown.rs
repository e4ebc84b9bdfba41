//! A session of a store as everybody is shown it, whoever has looked into the store. Pure.

use wendy_store::{GenerationRecord, SessionId, SessionRecord, StoreId};

use crate::model::{DeviceId, OwnSave, Session, SessionKey, SessionState, StoreKey, World};

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

/// What a session of the store `key` is called on the bus: its UUID alone, unless it is a copy of one
/// that was there first. A copied medium says so by its own UUID; of a copied directory, nothing but
/// the session itself tells. Then the device is added, for as long as the copy is shown.
pub fn session_key(
    world: &World,
    (key, store): (StoreKey, Option<StoreId>),
    device: DeviceId,
    id: SessionId,
) -> SessionKey {
    let (plain, copy) = (
        SessionKey::new(id),
        SessionKey::new(format!("{id} on {device}")),
    );
    let is_copied_store =
        store.is_some_and(|store| key == StoreKey::new(format!("{store} on {device}")));
    let had = world.sessions.get(&copy);
    let was_copy = had.is_some_and(|session| session.store == key);
    if is_copied_store || was_copy || is_held_by_another(world, plain, key) {
        copy
    } else {
        plain
    }
}

/// A store whose device has left holds nothing any more.
fn is_held_by_another(world: &World, session: SessionKey, key: StoreKey) -> bool {
    let holder = world.sessions.get(&session).map(|session| session.store);
    let other = holder.filter(|holder| *holder != key);
    other
        .and_then(|other| world.stores.get(&other))
        .is_some_and(|store| world.devices.contains_key(&store.device))
}

/// Shows these sessions of a store in the place of all it had.
pub fn replace_sessions(world: &mut World, store: StoreKey, found: Vec<Seen<'_>>) {
    let sessions: Vec<_> = found
        .into_iter()
        .map(|seen| (seen.key, session(world, seen)))
        .collect();
    world.sessions.retain(|_, session| session.store != store);
    world.sessions.extend(sessions);
}

/// The session, as it is for the system that runs.
fn session(world: &World, seen: Seen<'_>) -> Session {
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
