//! Showing what has become of a store after something was done with it.
//!
//! A store that is mounted already makes no event when its content changes, so nobody else would
//! notice. What cannot be read is left as it was shown.

use std::time::Duration;

use wendy_store::{SessionId, boot};

use super::{Result, Watch};
use crate::{
    jobs::Phase,
    model::{DeviceId, Hub, StoreKey, World},
    stores::{OpenStore, Saved, StoredSession, links, records, shown},
};

/// Reads the store again and updates the world.
pub(super) fn publish(hub: &Hub, key: StoreKey, store: &OpenStore) {
    match look(store) {
        Ok(seen) => hub.update(|world| show(world, key, store, &seen)),
        Err(error) => tracing::warn!(store = %key, %error, "cannot read the store again"),
    }
}

struct Seen {
    name: String,
    saved: Saved,
    default: Option<SessionId>,
    free: u64,
}

fn look(store: &OpenStore) -> Result<Seen> {
    let marker = records::read_store(store.root(), store.record().id, &store.location().name)?;
    Ok(Seen {
        name: marker.name.to_string(),
        saved: Saved::read(store.root())?,
        default: links::default_session(store.root())?,
        free: store.space()?.available,
    })
}

fn show(world: &mut World, key: StoreKey, store: &OpenStore, seen: &Seen) {
    let Some(device) = world.stores.get(&key).map(|shown| shown.device) else {
        return;
    };
    let id = Some(store.record().id);
    let key_of = |session| shown::session_key(world, (key, id), device, session);
    let default = seen.default.map(key_of);
    let sessions = seen.saved.sessions.iter().map(|session| {
        let default = seen.default == Some(session.record.id);
        shown::Seen {
            key: key_of(session.record.id),
            record: &session.record,
            saved: session.saved.as_ref(),
            kernel_parameters: kernel_parameters(store, session, default),
            store: key,
        }
    });
    let sessions: Vec<_> = sessions.collect();
    shown::replace_sessions(world, key, sessions);
    if let Some(shown) = world.stores.get_mut(&key) {
        shown.free = seen.free;
        shown.name.clone_from(&seen.name);
        shown.default_session = default;
    }
}

/// What a stock image needs to start the session; empty if it cannot.
pub(super) fn kernel_parameters(
    store: &OpenStore,
    session: &StoredSession,
    default: bool,
) -> String {
    let place = boot::Place {
        session: session.record.id,
        stack: session.record.stack,
        default,
        in_image: store.in_image(),
        filesystem: &store.location().fs_uuid,
    };
    boot::parameters(&place).unwrap_or_default()
}

/// Waits until the store is shown on this disk, as it is when udev has seen the new filesystem and
/// somebody has looked into it; not longer than `patience`, because the store is good also unseen.
pub(super) fn wait_until_seen(
    hub: &Hub,
    (key, disk): (StoreKey, DeviceId),
    patience: Duration,
    watch: &dyn Watch,
) {
    watch.phase(Phase::Settling);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
    else {
        return;
    };
    let mut watcher = hub.watch();
    let seen = async {
        while let Some(world) = watcher.changed().await {
            let seen = world.stores.get(&key);
            if seen.is_some_and(|store| store.device.whole_disk() == disk) {
                return;
            }
        }
    };
    if runtime
        .block_on(async { tokio::time::timeout(patience, seen).await })
        .is_err()
    {
        tracing::warn!(store = %key, "the new store was not seen in time");
    }
}
