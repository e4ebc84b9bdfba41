//! The engine as the bus sees it: consent, refusals, jobs, and what is shown afterwards.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

mod bench;

use std::{sync::Arc, time::Duration};

use bench::*;
use wendy_store::{SessionId, UpperKind};
use wendy_sys::{
    block::{Access, BlockDevice},
    mount::Space,
};
use wendyd::{
    engine::{Config, Engine, Error, Result, Source, UpperSource},
    jobs::{Fact, Facts, Failure, FailureKind, JobId, Jobs, ObjectId, Outcome},
    model::{Device, DeviceId, Hub, SessionKey, SessionState, Store, StoreKey, StoreKind, World},
    operations::{Caller, Operations, PrepareRequest, SaveRequest},
};

const SIZE: u64 = 128 * MIB;

/// A live system that can be switched off.
#[derive(Debug)]
struct Given(Option<std::path::PathBuf>);

impl UpperSource for Given {
    fn open(&self) -> Result<Source> {
        let upper = self
            .0
            .as_ref()
            .ok_or_else(|| Error::NotLive("no boot=live".to_owned()))?;
        Ok(source(upper, image(b"one")))
    }

    fn space(&self) -> Space {
        Space::default()
    }
}

/// An engine that sees one stick.
struct Scene {
    stick: Stick,
    hub: Hub,
    jobs: Jobs,
    engine: Engine,
    live: Live,
    id: DeviceId,
}

impl Scene {
    fn new(stick: Stick) -> Scene {
        Scene::with(stick, |live| Some(live.upper()))
    }

    fn with(stick: Stick, upper: impl Fn(&Live) -> Option<std::path::PathBuf>) -> Scene {
        let (hub, jobs, live) = (Hub::new(), Jobs::new(), Live::new());
        let config = Config {
            indexes: live.directory.path().join("index"),
            settle: Duration::ZERO,
        };
        let engine = Engine::new(
            hub.clone(),
            jobs.clone(),
            Arc::new(Given(upper(&live))),
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
    fn with_store(self) -> (Scene, StoreKey, Partition) {
        let partition = self.stick.partition(1);
        let (id, device) = described(partition.node(), Some(1));
        let key = StoreKey::new(partition.store().record().id);
        self.hub.update(|world| {
            world.devices.insert(id, device);
            world.stores.insert(key, found_store(id));
        });
        (self, key, partition)
    }

    fn world(&self) -> Arc<World> {
        self.hub.snapshot()
    }

    fn plan(&self, by: &Caller) -> (Facts, String) {
        self.engine
            .plan_prepare(by, self.id, whole("My stick", ""))
            .unwrap()
    }

    fn prepare(&self, by: &Caller, request: PrepareRequest) -> Result<Facts, Failure> {
        let job = self.engine.prepare(by, self.id, request)?;
        self.done(job)
    }

    fn save(&self, store: StoreKey, request: SaveRequest) -> Result<Facts, Failure> {
        let job = self.engine.save(&caller(":1.7"), store, request)?;
        self.done(job)
    }

    /// What became of a job.
    fn done(&self, id: JobId) -> Result<Facts, Failure> {
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

fn described(node: &std::path::Path, partition: Option<u32>) -> (DeviceId, Device) {
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
        problem: String::new(),
        default_session: None,
    }
}

fn caller(bus_name: &str) -> Caller {
    Caller {
        bus_name: bus_name.to_owned(),
        uid: 1000,
    }
}

fn whole(name: &str, token: &str) -> PrepareRequest {
    PrepareRequest {
        name: name.to_owned(),
        token: Some(token.to_owned()),
        ..PrepareRequest::default()
    }
}

fn session(name: &str) -> SaveRequest {
    SaveRequest {
        name: name.to_owned(),
        ..SaveRequest::default()
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, Failure>) -> FailureKind {
    result.unwrap_err().kind
}

fn number(facts: &Facts, name: &str) -> u64 {
    match facts.get(name) {
        Some(Fact::Number(number)) => *number,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn a_blank_stick_needs_no_consent() {
    if !is_root() {
        return;
    }
    let scene = Scene::new(Stick::new(SIZE));
    let (plan, token) = scene.plan(&caller(":1.7"));
    assert_eq!(
        (plan.get("destroys"), token.as_str()),
        (Some(&Fact::Flag(false)), "")
    );
    let facts = scene
        .prepare(&caller(":1.7"), whole("My stick", ""))
        .unwrap();
    let key = StoreKey::new(scene.stick.store().record().id);
    assert_eq!(
        facts.get("store"),
        Some(&Fact::Object(Some(ObjectId::Store(key))))
    );
}

#[test]
fn what_would_be_lost_needs_the_token_of_that_very_plan() {
    if !is_root() {
        return;
    }
    let scene = Scene::new(Stick::prepared(SIZE));
    let before = scene.stick.store().record().id;
    let (me, other) = (caller(":1.7"), caller(":1.8"));
    assert_eq!(
        kind(scene.prepare(&me, whole("My stick", ""))),
        FailureKind::NeedsToken
    );
    assert_eq!(
        kind(scene.prepare(&me, whole("My stick", "0123"))),
        FailureKind::StaleToken
    );
    let (plan, token) = scene.plan(&me);
    assert_eq!(plan.get("destroys"), Some(&Fact::Flag(true)));
    assert_eq!(
        kind(scene.prepare(&other, whole("My stick", &token))),
        FailureKind::StaleToken
    );
    assert_eq!(
        kind(scene.prepare(&me, whole("Another name", &token))),
        FailureKind::StaleToken
    );
    assert_eq!(
        kind(scene.prepare(&me, whole("My stick", &token))),
        FailureKind::StaleToken
    );
    assert_eq!(scene.stick.store().record().id, before);
    let (_, token) = scene.plan(&me);
    scene.prepare(&me, whole("My stick", &token)).unwrap();
    assert_ne!(scene.stick.store().record().id, before);
    assert_eq!(
        kind(scene.prepare(&me, whole("My stick", &token))),
        FailureKind::StaleToken
    );
}

#[test]
fn a_stick_swapped_after_the_plan_stays_untouched() {
    if !is_root() {
        return;
    }
    let mut scene = Scene::new(Stick::new(SIZE));
    let other = Stick::made(SIZE, |image| {
        drop(run("mkfs.ext4", &["-q", image.to_str().unwrap()]))
    });
    let before = std::fs::read(other.image()).unwrap();
    // The world still shows the old one under the node that is now another's.
    let node = other.node().display().to_string();
    scene
        .hub
        .update(|world| world.devices.get_mut(&scene.id).unwrap().node = node);
    assert_eq!(
        kind(scene.prepare(&caller(":1.7"), whole("My stick", ""))),
        FailureKind::DeviceChanged
    );
    scene.id.diskseq += 1000;
    assert_eq!(
        kind(scene.prepare(&caller(":1.7"), whole("My stick", ""))),
        FailureKind::NotFound
    );
    assert!(std::fs::read(other.image()).unwrap() == before);
}

#[test]
fn no_option_bypasses_a_refusal() {
    if !is_root() {
        return;
    }
    let scene = Scene::new(Stick::prepared(SIZE));
    let (_, token) = scene.plan(&caller(":1.7"));
    let with = |change: fn(&mut Device)| {
        let mut changed = (*scene.world()).clone();
        change(changed.devices.get_mut(&scene.id).unwrap());
        let good = scene.world();
        scene.hub.update(|world| *world = changed);
        let refused = scene.prepare(&caller(":1.7"), whole("My stick", &token));
        scene.hub.update(|world| *world = (*good).clone());
        kind(refused)
    };
    assert_eq!(
        with(|device| device.boot_medium = true),
        FailureKind::DeviceBusy
    );
    assert_eq!(with(|device| device.system = true), FailureKind::DeviceBusy);
    assert_eq!(
        with(|device| device.in_use_by = vec!["swap".to_owned()]),
        FailureKind::DeviceBusy
    );
    let words = PrepareRequest {
        mode: Some("force".to_owned()),
        ..whole("My stick", &token)
    };
    assert_eq!(
        kind(scene.prepare(&caller(":1.7"), words)),
        FailureKind::NotSupported
    );
}

#[test]
fn plans_are_cheap_to_ask_for_and_few_are_kept() {
    if !is_root() {
        return;
    }
    let scene = Scene::new(Stick::prepared(SIZE));
    let (_, first) = scene.plan(&caller(":1.7"));
    for _ in 0..wendyd::engine::PER_CALLER {
        scene.plan(&caller(":1.7"));
    }
    assert_eq!(
        kind(scene.prepare(&caller(":1.7"), whole("My stick", &first))),
        FailureKind::StaleToken
    );
}

#[test]
fn a_session_goes_its_whole_way() {
    if !is_root() {
        return;
    }
    let (scene, store, _partition) = Scene::new(Stick::prepared(SIZE)).with_store();
    let plan = scene
        .engine
        .plan_save(&caller(":1.7"), store, session("Biofuel report"))
        .unwrap();
    assert_eq!(plan.get("fits"), Some(&Fact::Flag(true)));
    let facts = scene.save(store, session("Biofuel report")).unwrap();
    assert!(number(&facts, "entries") > 40 && number(&facts, "written-bytes") > 0);
    assert_eq!(
        facts.get("kernel-parameters"),
        Some(&Fact::Text("persistence".to_owned()))
    );
    let Some(Fact::Object(Some(ObjectId::Session(key)))) = facts.get("session") else {
        panic!("{facts:?}")
    };
    let shown = scene.world().sessions[key].clone();
    assert_eq!(
        (shown.name.as_str(), shown.generation),
        ("Biofuel report", 1)
    );
    assert_eq!(
        (shown.state, shown.upper_kind),
        (SessionState::Complete, UpperKind::Overlayfs)
    );
    assert_eq!(scene.world().stores[&store].default_session, Some(*key));
    scene.live.write("etc/hostname", "bob\n");
    let update = SaveRequest {
        session: Some(*key),
        ..session("")
    };
    let facts = scene.save(store, update).unwrap();
    assert_eq!(facts.get("generation"), Some(&Fact::Small(2)));
    scene
        .engine
        .rename_session(&caller(":1.7"), *key, "Fuel")
        .unwrap();
    scene
        .engine
        .rename_store(&caller(":1.7"), store, "The blue one")
        .unwrap();
    assert_eq!(scene.world().sessions[key].name, "Fuel");
    assert_eq!(scene.world().stores[&store].name, "The blue one");
    let checked = scene
        .done(
            scene
                .engine
                .check_store(&caller(":1.7"), store, None)
                .unwrap(),
        )
        .unwrap();
    assert_eq!(number(&checked, "damaged"), 0);
    scene
        .done(scene.engine.delete_session(&caller(":1.7"), *key).unwrap())
        .unwrap();
    assert!(scene.world().sessions.is_empty());
    assert_eq!(scene.world().stores[&store].default_session, None);
}

#[test]
fn bad_input_gets_its_named_error() {
    if !is_root() {
        return;
    }
    let (scene, store, _partition) = Scene::new(Stick::prepared(SIZE)).with_store();
    scene.save(store, session("One")).unwrap();
    let refused = |request| kind(scene.save(store, request));
    assert_eq!(refused(session("One")), FailureKind::InvalidArgument);
    assert_eq!(refused(session("")), FailureKind::InvalidArgument);
    assert_eq!(
        refused(session(&"x".repeat(300))),
        FailureKind::InvalidArgument
    );
    let unknown = SaveRequest {
        session: Some(SessionKey::new(SessionId::random())),
        ..session("")
    };
    assert_eq!(refused(unknown), FailureKind::NotFound);
    let pattern = SaveRequest {
        exclude: vec!["all".to_owned()],
        ..session("Two")
    };
    assert_eq!(refused(pattern), FailureKind::InvalidArgument);
    let quiesce = SaveRequest {
        quiesce: Some("sleep".to_owned()),
        ..session("Two")
    };
    assert_eq!(refused(quiesce), FailureKind::NotSupported);
    assert_eq!(
        kind(scene.save(StoreKey::new("nowhere"), session("Two"))),
        FailureKind::NotFound
    );
    let foreign = "casper persistence (casper-rw)".to_owned();
    scene
        .hub
        .update(|world| world.stores.get_mut(&store).unwrap().foreign = foreign);
    assert_eq!(refused(session("Two")), FailureKind::NotSupported);
}

#[test]
fn without_a_live_system_there_is_nothing_to_save() {
    if !is_root() {
        return;
    }
    let (scene, store, _partition) = Scene::with(Stick::prepared(SIZE), |_| None).with_store();
    assert_eq!(
        kind(scene.save(store, session("One"))),
        FailureKind::NotLive
    );
}

#[test]
fn a_failure_names_no_file_of_the_session() {
    let path = wendy_layers::EntryPath::new("home/ann/secret-plan");
    for error in [
        wendy_layers::Error::NoSpace { path: path.clone() },
        wendy_layers::Error::Read {
            path: path.clone(),
            source: wendy_sys::Errno::IO,
        },
        wendy_layers::Error::Write {
            path,
            source: wendy_sys::Errno::IO,
        },
    ] {
        let failure = Failure::from(Error::from(error));
        assert!(!failure.message.contains("secret"), "{}", failure.message);
    }
}
