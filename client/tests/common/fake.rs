//! A service that answers like the daemon, from a world that a test makes up.
//!
//! It knows the contract's wire format and nothing else: no device, no file, no authorization.

use std::collections::{BTreeMap, HashMap};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::StreamExt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::timeout;
use wendy_dbus::facts::Facts;
use wendy_dbus::objects::{Device, Job, Session, Store, System};
use wendy_dbus::options::{CheckOptions, PrepareOptions, SaveOptions};
use wendy_dbus::paths::{self, DevicePath};
use wendy_dbus::plans::{PreparePlan, SavePlan};
use wendy_dbus::{BUS_NAME, Dict, error};
use zbus::message::{Header, Message, Type as MessageType};
use zbus::wire::{LE, serialized::Context, to_bytes};
use zbus::{Connection, MessageStream, OwnedObjectPath, Type};

use super::samples::{self, SESSION, STORE};
use super::{PrivateBus, Ran};

const JOB: &str = "/org/ubuntu/Wendy/jobs/1";
const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN: &str = "the daemon's token";

/// How jobs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It is over before its path has reached the caller.
    Instant,
    /// It reports some progress, then ends.
    Steady,
    /// It goes on until it is cancelled.
    UntilCancelled,
    /// It goes on whatever happens.
    Endless,
}

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
    planned_by: Option<String>,
}

type OwnedPath = String;

/// The service on its bus.
pub struct Fake {
    pub bus: PrivateBus,
    world: Arc<Mutex<World>>,
    changed: Arc<Notify>,
    connection: Connection,
    runtime: tokio::runtime::Runtime,
}

impl Fake {
    pub fn start() -> Self {
        let bus = PrivateBus::start();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let world = Arc::new(Mutex::new(World::sample()));
        let changed = Arc::new(Notify::new());
        let connection = runtime.block_on(serve(bus.address(), world.clone(), changed.clone()));
        Self {
            bus,
            world,
            changed,
            connection,
            runtime,
        }
    }

    /// The world, to look at or to change.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.bus.run(args)
    }

    /// Waits until a call that begins like this has come in.
    pub fn wait_for_call(&self, beginning: &str) {
        let heard = async {
            loop {
                let notified = self.changed.notified();
                if self.world().has_heard(beginning) {
                    return;
                }
                notified.await;
            }
        };
        let patience = self
            .runtime
            .block_on(async { timeout(PATIENCE, heard).await });
        patience.unwrap_or_else(|_| panic!("nobody called {beginning}"));
    }

    /// Tells clients that an object came or went.
    pub fn announce(&self, signal: &str) {
        let path = OwnedObjectPath::try_from("/org/ubuntu/Wendy/devices/9").unwrap();
        let body = (path, HashMap::<String, Dict>::new());
        let manager = "org.freedesktop.DBus.ObjectManager";
        let emit = self
            .connection
            .emit_signal(None::<&str>, paths::ROOT, manager, signal, &body);
        self.runtime.block_on(emit).unwrap();
    }

    /// Leaves the bus, as a daemon that was stopped.
    pub fn leave(&self) {
        self.runtime
            .block_on(self.connection.release_name(BUS_NAME))
            .unwrap();
    }
}

/// Sends Ctrl-C to a process.
pub fn interrupt(child: &Child) {
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
}

impl World {
    fn sample() -> Self {
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

    fn has_heard(&self, beginning: &str) -> bool {
        self.calls
            .iter()
            .chain(&self.reads)
            .any(|call| call.starts_with(beginning))
    }

    /// Everything below the root.
    fn objects(&self) -> HashMap<OwnedObjectPath, HashMap<String, Dict>> {
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

    fn properties(&self, path: &str, interface: &str) -> Option<Dict> {
        if path == paths::ROOT {
            return Some(dict(&self.system));
        }
        let path = OwnedObjectPath::try_from(path).ok()?;
        self.objects().get(&path)?.get(interface).cloned()
    }
}

async fn serve(address: String, world: Arc<Mutex<World>>, changed: Arc<Notify>) -> Connection {
    let builder = zbus::connection::Builder::address(address.as_str());
    let connection = builder.build().await.unwrap();
    let mut messages = MessageStream::from(&connection);
    connection.request_name(BUS_NAME).await.unwrap();
    let service = connection.clone();
    tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            if message.message_type() == MessageType::MethodCall {
                answer(&service, &message, &world).await;
                changed.notify_waiters();
            }
        }
    });
    connection
}

async fn answer(connection: &Connection, call: &Message, world: &Mutex<World>) {
    let header = call.header();
    let (path, member) = (
        header.path().unwrap().to_string(),
        header.member().unwrap().to_string(),
    );
    let reply = match member.as_str() {
        "GetManagedObjects" => {
            let mut world = world.lock().unwrap();
            world.reads.push(member.clone());
            reply(&header, &world.objects())
        }
        "GetAll" => {
            world.lock().unwrap().reads.push(format!("{member} {path}"));
            let interface: String = call.body().deserialize().unwrap();
            let properties = world.lock().unwrap().properties(&path, &interface);
            properties.map_or_else(
                || refuse(&header, "org.freedesktop.DBus.Error.UnknownObject", "gone"),
                |properties| reply(&header, &properties),
            )
        }
        _ => return act(connection, call, &path, &member, world).await,
    };
    connection.send(&reply).await.unwrap();
    if member == "GetAll" && path == JOB {
        go_on(connection, world).await;
    }
}

/// A steady job takes a step each time it has been looked at, so that every step is seen.
async fn go_on(connection: &Connection, world: &Mutex<World>) {
    let (steady, phase, state) = {
        let world = world.lock().unwrap();
        let job = &world.jobs[JOB];
        (
            world.course == Course::Steady,
            job.phase.clone(),
            job.state.clone(),
        )
    };
    match phase.as_str() {
        _ if !steady || state != "running" => {}
        "copying" => progress(connection, world).await,
        _ => finish(connection, world, None).await,
    }
}

/// Answers everything that is not reading.
async fn act(
    connection: &Connection,
    call: &Message,
    path: &str,
    member: &str,
    world: &Mutex<World>,
) {
    let header = call.header();
    let refusal = note(call, path, member, &mut world.lock().unwrap());
    if let Some((name, message)) = refusal {
        let refused = refuse(&header, &format!("{}{name}", error::PREFIX), message);
        return connection.send(&refused).await.unwrap();
    }
    let starts = match member {
        "PrepareDevice" => "prepare-device",
        "SaveSession" => "save-session",
        "Delete" => "delete-session",
        "Check" => "check-store",
        _ => {
            let reply = plain_reply(&header, member, &world.lock().unwrap());
            connection.send(&reply).await.unwrap();
            return if member == "Cancel" {
                cancel(connection, world).await
            };
        }
    };
    run_job(connection, &header, starts, world).await;
}

/// Writes the call down; the refusal, if it is to be refused.
fn note(
    call: &Message,
    path: &str,
    member: &str,
    world: &mut World,
) -> Option<(&'static str, &'static str)> {
    let sender = call.header().sender().unwrap().to_string();
    let body = call.body();
    let details = match member {
        "PlanPrepare" => {
            world.planned_by = Some(sender.clone());
            let (_, options): (OwnedObjectPath, PrepareOptions) = body.deserialize().unwrap();
            format!(
                "{:?} {:?} {:?}",
                options.mode.unwrap(),
                options.name.unwrap(),
                options.size
            )
        }
        "PrepareDevice" => {
            let (device, options): (OwnedObjectPath, PrepareOptions) = body.deserialize().unwrap();
            let consents = options.token.as_deref() == Some(TOKEN);
            let own = world.planned_by.as_deref() == Some(sender.as_str());
            if world.prepare_plan.destroys && !(consents && own) {
                return Some(("StaleToken", "the token is not good for this"));
            }
            format!("{device} {:?}", options.name.unwrap())
        }
        "PlanSave" | "SaveSession" => {
            let (store, name, options): (OwnedObjectPath, String, SaveOptions) =
                body.deserialize().unwrap();
            let session = options.session.map(|session| session.to_string());
            format!(
                "{store} {name:?} {session:?} {:?} {:?}",
                options.default, options.exclude
            )
        }
        "Rename" => body.deserialize::<String>().unwrap(),
        "SetDefault" => body.deserialize::<OwnedObjectPath>().unwrap().to_string(),
        "Check" => {
            let options: CheckOptions = body.deserialize().unwrap();
            format!("{:?}", options.session.map(|session| session.to_string()))
        }
        _ => String::new(),
    };
    world
        .calls
        .push(format!("{member} {path} {details}").trim_end().to_owned());
    world.refusal
}

fn plain_reply(header: &Header<'_>, member: &str, world: &World) -> Message {
    match member {
        "PlanPrepare" => {
            let token = if world.prepare_plan.destroys {
                TOKEN
            } else {
                ""
            };
            reply(header, &(&world.prepare_plan, token))
        }
        "PlanSave" => reply(header, &world.save_plan),
        _ => reply(header, &()),
    }
}

async fn run_job(
    connection: &Connection,
    header: &Header<'_>,
    operation: &str,
    world: &Mutex<World>,
) {
    let course = {
        let mut world = world.lock().unwrap();
        world.jobs.insert(JOB.into(), samples::job(operation));
        world.course
    };
    let path = OwnedObjectPath::try_from(JOB).unwrap();
    if course == Course::Instant {
        finish(connection, world, None).await;
    }
    connection.send(&reply(header, &path)).await.unwrap();
}

async fn progress(connection: &Connection, world: &Mutex<World>) {
    world.lock().unwrap().jobs.get_mut(JOB).unwrap().phase = "syncing".into();
    let body = ("org.ubuntu.Wendy.Job", Dict::new(), Vec::<String>::new());
    let properties = "org.freedesktop.DBus.Properties";
    let emit = connection.emit_signal(None::<&str>, JOB, properties, "PropertiesChanged", &body);
    emit.await.unwrap();
}

async fn cancel(connection: &Connection, world: &Mutex<World>) {
    let course = world.lock().unwrap().course;
    if course == Course::UntilCancelled {
        finish(
            connection,
            world,
            Some("cancelled; the last good save is untouched"),
        )
        .await;
    }
}

async fn finish(connection: &Connection, world: &Mutex<World>, cancelled: Option<&str>) {
    let (result, error, message, facts) = {
        let mut world = world.lock().unwrap();
        let (result, error, message) = match (cancelled, world.failure) {
            (Some(why), _) => ("cancelled", "Cancelled", why),
            (None, Some((error, message))) => ("failed", error, message),
            (None, None) => ("done", "", ""),
        };
        let error = if error.is_empty() {
            String::new()
        } else {
            format!("{}{error}", error::PREFIX)
        };
        let facts = world.facts.clone();
        let job = world.jobs.get_mut(JOB).unwrap();
        job.state = result.into();
        job.error.clone_from(&error);
        job.message = message.into();
        job.facts = facts.clone();
        (result.to_owned(), error, message.to_owned(), facts)
    };
    let body = (result, error, message, facts);
    let emit = connection.emit_signal(None::<&str>, JOB, "org.ubuntu.Wendy.Job", "Finished", &body);
    emit.await.unwrap();
}

fn reply<B: Serialize + zbus::wire::DynamicType>(header: &Header<'_>, body: &B) -> Message {
    Message::method_return(header).build(body).unwrap()
}

fn refuse(header: &Header<'_>, name: &str, message: &str) -> Message {
    Message::error(header, name).build(&message).unwrap()
}

/// The properties of an object as they travel.
fn dict<T: Serialize + Type>(object: &T) -> Dict {
    to_bytes(Context::new(LE, 0), object)
        .unwrap()
        .deserialize()
        .unwrap()
        .0
}

/// A device path for tests.
pub fn device_path(seq: u64) -> String {
    DevicePath {
        disk_seq: seq,
        partition: None,
    }
    .to_string()
}
