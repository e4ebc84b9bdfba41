//! Object paths and the ids of the model.

use wendy_dbus::{
    Result,
    paths::{DevicePath, JobPath, SessionPath, StorePath, none},
};
use zbus::OwnedObjectPath;

use super::about::not_found;
use crate::{
    jobs::{JobId, ObjectId},
    model::{DeviceId, SessionKey, StoreKey},
};

pub(super) fn device(id: DeviceId) -> OwnedObjectPath {
    DevicePath {
        disk_seq: id.diskseq,
        partition: id.partition,
    }
    .to_path()
}

pub(super) fn store(key: StoreKey) -> OwnedObjectPath {
    StorePath(key.0).to_path()
}

pub(super) fn session(key: SessionKey) -> OwnedObjectPath {
    SessionPath(key.0).to_path()
}

pub(super) fn job(id: JobId) -> OwnedObjectPath {
    JobPath(id.0).to_path()
}

pub(super) fn object(id: &ObjectId) -> OwnedObjectPath {
    match id {
        ObjectId::Device(id) => device(*id),
        ObjectId::Store(key) => store(*key),
        ObjectId::Session(key) => session(*key),
    }
}

/// The path of something that may not be there.
pub(super) fn or_none<T>(id: Option<T>, path: fn(T) -> OwnedObjectPath) -> OwnedObjectPath {
    id.map_or_else(none, path)
}

/// The device a caller names.
///
/// # Errors
/// `NotFound` for whatever is not the path of a device, without a word about the path.
pub(super) fn parse_device(path: &OwnedObjectPath) -> Result<DeviceId> {
    let DevicePath {
        disk_seq,
        partition,
    } = DevicePath::parse(path.as_str()).ok_or_else(|| not_found("device"))?;
    Ok(DeviceId {
        diskseq: disk_seq,
        partition,
    })
}

/// The store a caller names; see [`parse_device`].
pub(super) fn parse_store(path: &OwnedObjectPath) -> Result<StoreKey> {
    let StorePath(id) = StorePath::parse(path.as_str()).ok_or_else(|| not_found("store"))?;
    Ok(StoreKey(id))
}

/// The session a caller names; see [`parse_device`].
pub(super) fn parse_session(path: &OwnedObjectPath) -> Result<SessionKey> {
    let SessionPath(id) = SessionPath::parse(path.as_str()).ok_or_else(|| not_found("session"))?;
    Ok(SessionKey(id))
}
