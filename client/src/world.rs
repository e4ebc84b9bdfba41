//! Everything the daemon shows, as one consistent picture, and who belongs to whom.

use std::ops::Deref;

use serde::de::DeserializeOwned;
use wendy_dbus::objects::{Device, Job, Session, Store, System, parse};
use wendy_dbus::{Dict, paths};
use zbus::fdo::ManagedObjects;
use zbus::{OwnedObjectPath, Type};

/// An object of the daemon: where it is and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<T> {
    /// Its object path.
    pub path: OwnedObjectPath,
    properties: T,
}

impl<T> Object<T> {
    /// An object with properties that were read.
    pub fn new(path: OwnedObjectPath, properties: T) -> Self {
        Self { path, properties }
    }

    /// Last element of the path: what `--json` calls `id`.
    pub fn id(&self) -> &str {
        id(&self.path)
    }
}

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.properties
    }
}

/// All objects.
#[derive(Clone, Debug)]
pub struct World {
    /// The running system.
    pub system: System,
    /// Disks, each followed by its partitions.
    pub devices: Vec<Object<Device>>,
    /// Stores by name.
    pub stores: Vec<Object<Store>>,
    /// Sessions, last saved first.
    pub sessions: Vec<Object<Session>>,
    /// Jobs by number.
    pub jobs: Vec<Object<Job>>,
}

impl World {
    /// Understands what the daemon answered.
    pub fn read(root: &Dict, objects: ManagedObjects) -> zbus::Result<Self> {
        let mut world = Self {
            system: parse(root)?,
            devices: of_interface(&objects, "org.ubuntu.Wendy.Device")?,
            stores: of_interface(&objects, "org.ubuntu.Wendy.Store")?,
            sessions: of_interface(&objects, "org.ubuntu.Wendy.Session")?,
            jobs: of_interface(&objects, "org.ubuntu.Wendy.Job")?,
        };
        world
            .devices
            .sort_by_key(|device| paths::DevicePath::parse(device.path.as_str()));
        world
            .stores
            .sort_by(|a, b| (&a.name, a.id()).cmp(&(&b.name, b.id())));
        world
            .sessions
            .sort_by(|a, b| (b.saved, a.id()).cmp(&(a.saved, b.id())));
        world
            .jobs
            .sort_by_key(|job| paths::JobPath::parse(job.path.as_str()));
        Ok(world)
    }

    /// The device at this path.
    pub fn device(&self, path: &OwnedObjectPath) -> Option<&Object<Device>> {
        self.devices.iter().find(|device| device.path == *path)
    }

    /// The store at this path.
    pub fn store(&self, path: &OwnedObjectPath) -> Option<&Object<Store>> {
        self.stores.iter().find(|store| store.path == *path)
    }

    /// The session at this path.
    pub fn session(&self, path: &OwnedObjectPath) -> Option<&Object<Session>> {
        self.sessions.iter().find(|session| session.path == *path)
    }

    /// The sessions of a store, last saved first.
    pub fn sessions_in(&self, store: &Object<Store>) -> impl Iterator<Item = &Object<Session>> {
        self.sessions
            .iter()
            .filter(|session| session.store == store.path)
    }

    /// Whether a stock image boots this session from its store.
    pub fn is_default(&self, session: &Object<Session>) -> bool {
        self.store(&session.store)
            .is_some_and(|store| store.default_session == session.path)
    }

    /// Short name of the device a store is on, as in `sda1`; "" when it is not there.
    pub fn place(&self, store: &Object<Store>) -> &str {
        self.device(&store.device)
            .map_or("", |device| short(&device.device_node))
    }
}

/// A node without its directory: `sda1`.
pub fn short(node: &str) -> &str {
    node.strip_prefix("/dev/").unwrap_or(node)
}

/// Last element of a path, or `None` for "no object".
pub fn reference(path: &OwnedObjectPath) -> Option<&str> {
    (!paths::is_none(path.as_str())).then(|| id(path))
}

fn id(path: &OwnedObjectPath) -> &str {
    path.as_str().rsplit('/').next().unwrap_or_default()
}

fn of_interface<T>(objects: &ManagedObjects, interface: &str) -> zbus::Result<Vec<Object<T>>>
where
    T: DeserializeOwned + Type,
{
    let entries = objects.iter().filter_map(|(path, interfaces)| {
        let properties = interfaces
            .iter()
            .find(|(name, _)| name.as_str() == interface)?
            .1;
        Some((path, properties))
    });
    entries
        .map(|(path, dict)| Ok(Object::new(path.clone(), parse(dict)?)))
        .collect()
}
