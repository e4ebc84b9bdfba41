//! Putting what was found into the world. Pure.

use wendy_store::StoreId;

use super::judge::{StoreSeen, Verdict};
use crate::{
    model::{Device, DeviceId, Store, StoreKey, StoreKind, World},
    stores::shown,
};

/// Replaces all that the world says about stores on this device. A device that has left
/// meanwhile is left out.
pub fn show(world: &mut World, device: DeviceId, verdict: &Verdict) {
    let had = key_on(world, device);
    let key = match verdict {
        _ if !world.devices.contains_key(&device) => None,
        Verdict::Nothing | Verdict::Ambivalent => None,
        Verdict::Foreign(whose) | Verdict::Adoptable(whose) => {
            Some(show_foreign(world, device, whose))
        }
        Verdict::Store(seen) => Some(show_store(world, device, seen, had)),
    };
    if let Some(had) = had.filter(|had| Some(*had) != key) {
        world.stores.remove(&had);
        world.sessions.retain(|_, session| session.store != had);
    }
    if let Some(known) = world.devices.get_mut(&device) {
        known.store = key;
        note_ambivalence(known, matches!(verdict, Verdict::Ambivalent));
    }
}

/// Removes the stores whose device is no longer there.
pub fn forget_gone(world: &mut World, is_there: impl Fn(&DeviceId) -> bool) {
    let gone: Vec<_> = world.stores.values().map(|store| store.device).collect();
    for device in gone.into_iter().filter(|device| !is_there(device)) {
        show(world, device, &Verdict::Nothing);
    }
}

fn key_on(world: &World, device: DeviceId) -> Option<StoreKey> {
    let mut on_it = world
        .stores
        .iter()
        .filter(|(_, store)| store.device == device);
    on_it.next().map(|(key, _)| *key)
}

fn note_ambivalence(device: &mut Device, is_ambivalent: bool) {
    if is_ambivalent {
        device.filesystem_type = Device::AMBIVALENT.to_owned();
    } else if device.filesystem_type == Device::AMBIVALENT {
        device.filesystem_type.clear();
    }
}

fn show_store(
    world: &mut World,
    device: DeviceId,
    seen: &StoreSeen,
    had: Option<StoreKey>,
) -> StoreKey {
    let key = key_of(world, device, seen.id, had);
    let session_key = |id| shown::session_key(world, (key, seen.id), device, id);
    let store = Store {
        name: seen.name.clone(),
        device,
        kind: seen.kind,
        locked: false,
        foreign: String::new(),
        filesystem: seen.filesystem.clone(),
        size: seen.space.size,
        free: seen.space.free,
        writable: seen.writable,
        problem: seen.problem,
        default_session: seen.default.map(session_key),
    };
    let sessions: Vec<_> = seen
        .sessions
        .iter()
        .map(|found| shown::Seen {
            key: session_key(found.record.id),
            record: &found.record,
            saved: found.saved.as_ref(),
            kernel_parameters: found.kernel_parameters.clone(),
            store: key,
        })
        .collect();
    shown::replace_sessions(world, key, sessions);
    world.stores.insert(key, store);
    key
}

/// Copies of one medium carry one identity: the first keeps the plain key, also when it is
/// looked at again.
fn key_of(world: &World, device: DeviceId, id: Option<StoreId>, had: Option<StoreKey>) -> StoreKey {
    let Some(id) = id else {
        return StoreKey::new(device);
    };
    let (plain, copy) = (
        StoreKey::new(id),
        StoreKey::new(format!("{id} on {device}")),
    );
    // A stick that was pulled and is back already is no copy of itself.
    let holder = world.stores.get(&plain).map(|store| store.device);
    let is_taken =
        holder.is_some_and(|holder| holder != device && world.devices.contains_key(&holder));
    if had == Some(copy) || is_taken {
        copy
    } else {
        plain
    }
}

fn show_foreign(world: &mut World, device: DeviceId, whose: &str) -> StoreKey {
    let key = StoreKey::new(device);
    let store = foreign(world, device, whose);
    shown::replace_sessions(world, key, Vec::new());
    world.stores.insert(key, store);
    key
}

fn foreign(world: &World, device: DeviceId, whose: &str) -> Store {
    let known = world.devices.get(&device).cloned().unwrap_or_default();
    Store {
        name: known.label,
        device,
        kind: StoreKind::Filesystem,
        locked: false,
        foreign: whose.to_owned(),
        filesystem: known.filesystem_type,
        size: known.size,
        free: 0,
        writable: false,
        problem: None,
        default_session: None,
    }
}

#[cfg(test)]
mod tests;
