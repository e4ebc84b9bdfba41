//! An engine that sees one stick.

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice},
};
use wendyd::{
    engine::{Config, Engine, Result},
    jobs::{Fact, Facts, Failure, FailureKind, JobId, Jobs, Outcome},
    model::{Device, DeviceId, Hub, Store, StoreKey, StoreKind, World},
    operations::{Caller, Operations, PrepareRequest, SaveRequest},
};

use crate::common::*;

pub const SIZE: u64 = 128 * MIB;

/// An engine that sees one stick.
pub struct Scene {
    pub stick: Stick,
    pub hub: Hub,
    pub jobs: Jobs,
    pub engine: Engine,
    pub live: Live,
    pub id: DeviceId,
}

impl Scene {
    pub fn new(stick: Stick) -> Scene {
        Scene::with(stick, |live| Some(live.upper()))
    }

    pub fn with(stick: Stick, upper: impl Fn(&Live) -> Option<PathBuf>) -> Scene {
        let (hub, jobs, live) = (Hub::new(), Jobs::new(), Live::new());
        let config = Config {
            indexes: live.directory.path().join("index"),
            own_saves: live.directory.path().join("saved"),
            losses: live.directory.path().join("lost"),
            settle: Duration::ZERO,
        };
        let engine = Engine::new(
            hub.clone(),
            jobs.clone(),
            Arc::new(Given {
                upper: upper(&live),
                base: image(b"one"),
            }),
            config,
        );
        let (id, device) = described(stick.node(), None);
        hub.update(|world| drop(world.devices.insert(id, device)));
        Scene {
            stick,
            hub,
            jobs,
            engine,
            live,
            id,
        }
    }

    /// With a store in the first partition, as it would be discovered.
    pub fn with_store(self) -> (Scene, StoreKey, Partition) {
        let partition = self.stick.partition(1);
        let (id, device) = described(partition.node(), Some(1));
        let key = StoreKey::new(partition.store().record().id);
        self.hub.update(|world| {
            world.devices.insert(id, device);
            world.stores.insert(key, found_store(id));
        });
        (self, key, partition)
    }

    pub fn world(&self) -> Arc<World> {
        self.hub.snapshot()
    }

    pub fn plan(&self, by: &Caller) -> (Facts, String) {
        self.engine
            .plan_prepare(by, self.id, whole("My stick", ""))
            .unwrap()
    }

    pub fn prepare(&self, by: &Caller, request: PrepareRequest) -> Result<Facts, Failure> {
        let job = self.engine.prepare(by, self.id, request)?;
        self.done(job)
    }

    pub fn save(&self, store: StoreKey, request: SaveRequest) -> Result<Facts, Failure> {
        let job = self.engine.save(&caller(":1.7"), store, request)?;
        self.done(job)
    }

    /// What became of a job.
    pub fn done(&self, id: JobId) -> Result<Facts, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut changes = self.jobs.watch();
        let outcome = async {
            loop {
                if let Some(outcome) = self.jobs.view(id).unwrap().outcome {
                    return outcome;
                }
                changes.changed().await.unwrap();
            }
        };
        let limit = Duration::from_secs(120);
        match runtime
            .block_on(async { tokio::time::timeout(limit, outcome).await })
            .unwrap()
        {
            Outcome::Done(facts) => Ok(facts),
            Outcome::Failed(failure) | Outcome::Cancelled(failure) => Err(failure),
        }
    }
}

fn described(node: &Path, partition: Option<u32>) -> (DeviceId, Device) {
    let identity = BlockDevice::open(node, Access::Read).unwrap().identity();
    let device = Device {
        node: node.display().to_string(),
        devnum: identity.devnum.raw(),
        size: identity.size,
        filesystem_type: if partition.is_some() {
            "ext4".to_owned()
        } else {
            String::new()
        },
        uuid: "01234567-89ab-cdef-0123-456789abcdef".to_owned(),
        ..Device::default()
    };
    (
        DeviceId {
            diskseq: identity.diskseq,
            partition,
        },
        device,
    )
}

fn found_store(device: DeviceId) -> Store {
    Store {
        name: "My stick".to_owned(),
        device,
        kind: StoreKind::Filesystem,
        locked: false,
        foreign: String::new(),
        filesystem: "ext4".to_owned(),
        size: 0,
        free: 0,
        writable: true,
        problem: None,
        default_session: None,
    }
}

pub fn caller(bus_name: &str) -> Caller {
    Caller {
        bus_name: bus_name.to_owned(),
        uid: 1000,
        left: Cancel::new(),
    }
}

pub fn whole(name: &str, token: &str) -> PrepareRequest {
    PrepareRequest {
        name: name.to_owned(),
        token: Some(token.to_owned()),
        ..PrepareRequest::default()
    }
}

pub fn session(name: &str) -> SaveRequest {
    SaveRequest {
        name: name.to_owned(),
        ..SaveRequest::default()
    }
}

pub fn kind<T: Debug>(result: Result<T, Failure>) -> FailureKind {
    result.unwrap_err().kind
}

pub fn number(facts: &Facts, name: &str) -> u64 {
    match facts.get(name) {
        Some(Fact::Number(number)) => *number,
        other => panic!("{name} is {other:?}"),
    }
}
