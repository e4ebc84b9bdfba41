//! From what the bus names to what the engine works on.

use std::path::PathBuf;

use wendy_store::SessionId;
use wendy_sys::{block::Identity, mount};

use super::{Error, Result};
use crate::{
    model::{Device, DeviceId, SessionKey, Store, StoreKey, World},
    stores::{Location, Saved},
};

/// Where a store is, if it can be used.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotSupported`] for what is not ours or locked.
pub fn location(world: &World, key: StoreKey) -> Result<Location> {
    let store = world
        .stores
        .get(&key)
        .ok_or_else(|| Error::NotFound(format!("the store {key}")))?;
    let name = format!("the store {:?}", store.name);
    check_usable(store, &name)?;
    let device = device(world, store.device)?;
    Ok(Location {
        node: PathBuf::from(&device.node),
        identity: identity(store.device, device),
        fs_type: mount::kernel_name(&device.filesystem_type).to_owned(),
        fs_uuid: device.uuid.clone(),
        name,
    })
}

/// The store a session is in.
///
/// # Errors
/// [`Error::NotFound`].
pub fn store_of(world: &World, session: SessionKey) -> Result<StoreKey> {
    let found = world.sessions.get(&session);
    found
        .map(|found| found.store)
        .ok_or_else(|| Error::NotFound(format!("the session {session}")))
}

/// The session that is called `key` on the bus, among those of a store.
///
/// # Errors
/// [`Error::NotFound`].
pub fn session_id(saved: &Saved, device: DeviceId, key: SessionKey) -> Result<SessionId> {
    let listed = saved.sessions.iter().map(|session| session.record.id);
    let mut ids = listed.chain(saved.damaged.iter().map(|(id, _)| *id));
    let is_meant = |id: &SessionId| {
        SessionKey::new(id) == key || SessionKey::new(format!("{id} on {device}")) == key
    };
    ids.find(is_meant)
        .ok_or_else(|| Error::NotFound(format!("the session {key}")))
}

/// A device that is there.
///
/// # Errors
/// [`Error::NotFound`].
pub fn device(world: &World, id: DeviceId) -> Result<&Device> {
    world
        .devices
        .get(&id)
        .ok_or_else(|| Error::NotFound(format!("the device {id}")))
}

/// Which medium a device must be when it is opened.
pub fn identity(id: DeviceId, device: &Device) -> Identity {
    Identity {
        diskseq: id.diskseq,
        devnum: device.devnum.into(),
        size: device.size,
    }
}

fn check_usable(store: &Store, name: &str) -> Result<()> {
    if store.locked {
        return Err(Error::NotSupported(format!(
            "{name} is locked; unlock it first"
        )));
    }
    if !store.foreign.is_empty() {
        let whose = &store.foreign;
        return Err(Error::NotSupported(format!(
            "{name} is {whose}, to which nothing is written; prepare another medium"
        )));
    }
    Ok(())
}
