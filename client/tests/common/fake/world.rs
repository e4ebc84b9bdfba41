//! What the service shows and how it behaves.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use wendy_dbus::Dict;
use wendy_dbus::facts::Facts;
use wendy_dbus::objects::{Device, Job, Session, Store, System};
use wendy_dbus::paths;
use wendy_dbus::plans::{PreparePlan, SavePlan};
use zbus::wire::{LE, serialized::Context, to_bytes};
use zbus::{OwnedObjectPath, Type};

use super::Course;
use crate::common::samples::{self, SESSION, STORE};

/// What the service shows and how it behaves.
pub struct World {
    pub system: System,
    pub devices: BTreeMap<OwnedPath, Device>,
    pub stores: BTreeMap<OwnedPath, Store>,
    pub sessions: BTreeMap<OwnedPath, Session>,
    pub jobs: BTreeMap<OwnedPath, Job>,
    pub prepare_plan: PreparePlan,
    pub save_plan: SavePlan,
    pub course: Course,
    /// Error name (without prefix) and message that jobs end with.
    pub failure: Option<(&'static str, &'static str)>,
    /// Error name (without prefix) and message that methods answer with.
    pub refusal: Option<(&'static str, &'static str)>,
    pub facts: Facts,
    /// What was asked for, apart from reading.
    pub calls: Vec<String>,
    /// What was read.
    pub reads: Vec<String>,
    /// The caller of the last plan, who alone may go on with it.
    pub planned_by: Option<String>,
}

type OwnedPath = String;

impl World {
    pub fn sample() -> Self {
        let mut boot = samples::device("/dev/sr0", 1);
        boot.boot_medium = true;
        boot.read_only = true;
        let mut empty = samples::device("/dev/sda", 4);
        empty.filesystem_type = "vfat".into();
        empty.label = "HOLIDAY".into();
        let stick = samples::device("/dev/sdb", 5);
        let mut part = samples::device("/dev/sdb1", 5);
        part.store = STORE.to_path();
        part.parent = samples::disk(5);
        let device = |path: OwnedObjectPath, device| (path.to_string(), device);
        Self {
            system: samples::system(),
            devices: BTreeMap::from([
                device(samples::disk(1), boot),
                device(samples::disk(4), empty),
                device(samples::disk(5), stick),
                device(samples::partition(5, 1), part),
            ]),
            stores: BTreeMap::from([(STORE.to_string(), samples::store())]),
            sessions: BTreeMap::from([(SESSION.to_string(), samples::session())]),
            jobs: BTreeMap::new(),
            prepare_plan: samples::prepare_plan(),
            save_plan: samples::save_plan(),
            course: Course::Steady,
            failure: None,
            refusal: None,
            facts: samples::saved(),
            calls: Vec::new(),
            reads: Vec::new(),
            planned_by: None,
        }
    }

    pub fn has_heard(&self, beginning: &str) -> bool {
        self.calls
            .iter()
            .chain(&self.reads)
            .any(|call| call.starts_with(beginning))
    }

    /// Everything below the root.
    pub fn objects(&self) -> HashMap<OwnedObjectPath, HashMap<String, Dict>> {
        let mut objects = HashMap::new();
        let mut add = |path: &str, interface: &str, properties: Dict| {
            let path = OwnedObjectPath::try_from(path).unwrap();
            objects.insert(path, HashMap::from([(interface.to_owned(), properties)]));
        };
        self.devices
            .iter()
            .for_each(|(p, d)| add(p, "org.ubuntu.Wendy.Device", dict(d)));
        self.stores
            .iter()
            .for_each(|(p, s)| add(p, "org.ubuntu.Wendy.Store", dict(s)));
        self.sessions
            .iter()
            .for_each(|(p, s)| add(p, "org.ubuntu.Wendy.Session", dict(s)));
        self.jobs
            .iter()
            .for_each(|(p, j)| add(p, "org.ubuntu.Wendy.Job", dict(j)));
        objects
    }

    pub fn properties(&self, path: &str, interface: &str) -> Option<Dict> {
        if path == paths::ROOT {
            return Some(dict(&self.system));
        }
        let path = OwnedObjectPath::try_from(path).ok()?;
        self.objects().get(&path)?.get(interface).cloned()
    }
}

/// The properties of an object as they travel.
fn dict<T: Serialize + Type>(object: &T) -> Dict {
    to_bytes(Context::new(LE, 0), object)
        .unwrap()
        .deserialize()
        .unwrap()
        .0
}
