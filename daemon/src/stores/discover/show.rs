//! Putting what was found into the world. Pure.

use wendy_store::{SessionId, StoreId};

use super::judge::{StoreSeen, Verdict};
use crate::{
    model::{Device, DeviceId, SessionKey, Store, StoreKey, StoreKind, World},
    stores::shown,
};

/// Replaces all that the world says about stores on this device. A device that has left
/// meanwhile is left out.
pub fn show(world: &mut World, device: DeviceId, verdict: &Verdict) {
    let had = remove(world, device);
    if !world.devices.contains_key(&device) {
        return;
    }
    let key = match verdict {
        Verdict::Nothing => return,
        Verdict::Ambivalent => return name_ambivalent(world, device),
        Verdict::Foreign(whose) | Verdict::Adoptable(whose) => {
            let key = StoreKey::new(device);
            let store = foreign(world, device, whose);
            world.stores.insert(key, store);
            key
        }
        Verdict::Store(seen) => show_store(world, device, seen, had),
    };
    if let Some(known) = world.devices.get_mut(&device) {
        known.store = Some(key);
    }
}

/// Removes the stores whose device is no longer there.
pub fn forget_gone(world: &mut World, is_there: impl Fn(&DeviceId) -> bool) {
    let gone: Vec<_> = world.stores.values().map(|store| store.device).collect();
    for device in gone.into_iter().filter(|device| !is_there(device)) {
        remove(world, device);
    }
}

fn remove(world: &mut World, device: DeviceId) -> Option<StoreKey> {
    let key = world
        .stores
        .iter()
        .find(|(_, store)| store.device == device)
        .map(|(key, _)| *key);
    if let Some(key) = key {
        world.stores.remove(&key);
        world.sessions.retain(|_, session| session.store != key);
    }
    if let Some(known) = world.devices.get_mut(&device) {
        known.store = None;
        if known.filesystem_type == Device::AMBIVALENT {
            known.filesystem_type.clear();
        }
    }
    key
}

fn name_ambivalent(world: &mut World, device: DeviceId) {
    if let Some(known) = world.devices.get_mut(&device) {
        known.filesystem_type = Device::AMBIVALENT.to_owned();
    }
}

fn show_store(
    world: &mut World,
    device: DeviceId,
    seen: &StoreSeen,
    had: Option<StoreKey>,
) -> StoreKey {
    let key = key_of(world, device, seen.id, had);
    let session_key = |id: SessionId| match seen.id {
        Some(store) if key != StoreKey::new(store) => SessionKey::new(format!("{id} on {device}")),
        _ => SessionKey::new(id),
    };
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
        problem: seen.problem.to_owned(),
        default_session: seen.default.map(session_key),
    };
    for found in &seen.sessions {
        let seen = shown::Seen {
            key: session_key(found.record.id),
            record: &found.record,
            saved: found.saved.as_ref(),
            kernel_parameters: found.kernel_parameters.clone(),
            store: key,
        };
        let (id, session) = (seen.key, shown::session(world, seen));
        world.sessions.insert(id, session);
    }
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
    let is_taken = holder.is_some_and(|holder| world.devices.contains_key(&holder));
    if had == Some(copy) || is_taken {
        copy
    } else {
        plain
    }
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
        problem: String::new(),
        default_session: None,
    }
}

#[cfg(test)]
mod tests;
