//! Object paths and the ids of the model.

use wendy_dbus::paths::{DevicePath, JobPath, SessionPath, StorePath, none};
use zbus::OwnedObjectPath;

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

pub(super) fn parse_device(path: &OwnedObjectPath) -> Option<DeviceId> {
    let DevicePath {
        disk_seq,
        partition,
    } = DevicePath::parse(path.as_str())?;
    Some(DeviceId {
        diskseq: disk_seq,
        partition,
    })
}

pub(super) fn parse_store(path: &OwnedObjectPath) -> Option<StoreKey> {
    StorePath::parse(path.as_str()).map(|StorePath(id)| StoreKey(id))
}

pub(super) fn parse_session(path: &OwnedObjectPath) -> Option<SessionKey> {
    SessionPath::parse(path.as_str()).map(|SessionPath(id)| SessionKey(id))
}
