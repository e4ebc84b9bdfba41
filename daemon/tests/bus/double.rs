//! Stands behind the bus in place of the engine: a small made-up world, and a record of who got
//! through. It runs in a process of its own, and tests steer it over the bus.

mod world;

use std::{
    env,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wendyd::{
    authority::PolkitAuthority,
    jobs::{
        Facts, Failure, FailureKind, JobHandle, JobId, Jobs, ObjectId, Operation, Phase, Request,
    },
    model::{Condition, DeviceId, Hub, Reason, SessionKey, State, StoreKey},
    operations::{Caller, Operations, PrepareRequest, SaveRequest, UpperSpace},
    run::{Rooms, Signals, run},
};
use zbus::{connection::Builder, interface};

use world::plug;
pub use world::{SESSION, STICK, STORE};

/// Tells the test program that it is to be the daemon.
pub const ENV: &str = "WENDY_TEST_DAEMON";
/// The test that is the daemon.
pub const TEST_NAME: &str = "double::the_daemon_process";
/// Where the double is steered.
pub const CONTROL_NAME: &str = "org.ubuntu.WendyTest";

/// The name of a store that takes its time to be planned.
pub const SLOW: &str = "Slow";
/// Not a test of anything: other tests start this program again to run only this, as the daemon.
#[test]
fn the_daemon_process() {
    if env::var_os(ENV).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(serve());
    }
}

async fn serve() {
    let signals = Signals::listen().unwrap();
    let (hub, jobs) = (Hub::new(), Jobs::new());
    plug(&hub);
    let double = Arc::new(Double {
        jobs: jobs.clone(),
        calls: Mutex::default(),
        gate: Gate::default(),
        hub: hub.clone(),
        condition: Mutex::default(),
    });
    let control = Control {
        hub: hub.clone(),
        double: double.clone(),
    };
    let _control = Builder::system()
        .serve_at("/", control)
        .name(CONTROL_NAME)
        .build()
        .await
        .unwrap();
    let authority = Arc::new(PolkitAuthority);
    run(
        Rooms {
            hub,
            jobs,
            operations: double,
            authority,
        },
        signals,
    )
    .await
    .unwrap();
}

/// Writes down who got through, and starts jobs that wait to be let go.
#[derive(Debug)]
struct Double {
    jobs: Jobs,
    calls: Mutex<Vec<String>>,
    gate: Gate,
    hub: Hub,
    condition: Mutex<Option<Condition>>,
}

/// What jobs wait at.
#[derive(Debug, Default, Clone)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until opened, or fails when the job should stop.
    fn pass(&self, job: &JobHandle) -> Result<(), Failure> {
        let mut open = self.0.0.lock().unwrap();
        while !*open {
            if job.is_cancelled() {
                return Err(Failure::new(FailureKind::Cancelled, "stopped"));
            }
            let wait = Duration::from_millis(10);
            open = self.0.1.wait_timeout(open, wait).unwrap().0;
        }
        Ok(())
    }
}

impl Double {
    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    /// As an operation that looks at its device for a while, and in the end for nobody.
    fn wait_until_left(&self, caller: &Caller) {
        let mut leaving = [PollFd::from_borrowed_fd(
            caller.left.bell().unwrap(),
            PollFlags::IN,
        )];
        let patience = Timespec {
            tv_sec: 20,
            tv_nsec: 0,
        };
        let left = poll(&mut leaving, Some(&patience)).unwrap();
        self.note(if left == 1 { "left" } else { "stayed" });
    }

    fn held_job(
        &self,
        caller: &Caller,
        operation: Operation,
        objects: Vec<ObjectId>,
    ) -> Result<JobId, Failure> {
        caller.check_present()?;
        let gate = self.gate.clone();
        let request = Request {
            operation,
            uid: caller.uid,
            objects,
        };
        let work = move |job: &JobHandle| {
            job.phase(Phase::Copying);
            job.total(100, 2);
            job.advance(50, 1);
            gate.pass(job)?;
            Ok::<_, Failure>(
                Facts::new()
                    .with("store", ObjectId::Store(STORE))
                    .with("bytes", 100_u64),
            )
        };
        let started = self.jobs.start(request, work);
        started.map_err(|refused| Failure::new(FailureKind::Busy, refused.to_string()))
    }
}

impl Operations for Double {
    fn plan_prepare(
        &self,
        caller: &Caller,
        device: DeviceId,
        request: PrepareRequest,
    ) -> Result<(Facts, String), Failure> {
        self.note(format!(
            "plan-prepare {device} {:?} by {}",
            request.name, caller.uid
        ));
        let lost = vec![Facts::new().with("kind", "store").with("size", 5_u64)];
        let plan = Facts::new()
            .with("device", ObjectId::Device(device))
            .with("mode", "device")
            .with("name", request.name)
            .with("filesystem", "ext4")
            .with("size", 1_u64 << 30)
            .with("destroys", true)
            .with("lost", lost)
            .with("changed", Vec::<Facts>::new())
            .with("made", Vec::<Facts>::new())
            .with("warnings", vec!["small".to_owned()]);
        Ok((plan, "token".to_owned()))
    }

    fn prepare(
        &self,
        caller: &Caller,
        device: DeviceId,
        request: PrepareRequest,
    ) -> Result<JobId, Failure> {
        self.note(format!(
            "prepare {device} {:?} by {}",
            request.name, caller.uid
        ));
        if request.name == SLOW {
            self.wait_until_left(caller);
        }
        self.held_job(
            caller,
            Operation::PrepareDevice,
            vec![ObjectId::Device(device)],
        )
    }

    fn plan_save(
        &self,
        _: &Caller,
        store: StoreKey,
        request: SaveRequest,
    ) -> Result<Facts, Failure> {
        self.note(format!("plan-save {store} {:?}", request.name));
        let plan = Facts::new()
            .with("session", None::<ObjectId>)
            .with("name", request.name)
            .with("default", true)
            .with("exclude", request.exclude)
            .with("fits", true);
        let sizes = [
            "entries",
            "bytes",
            "changed-entries",
            "changed-bytes",
            "removed-entries",
        ];
        let sizes = sizes.into_iter().chain(["space", "free"]);
        Ok(sizes.fold(plan, |plan, size| plan.with(size, 1_u64)))
    }

    fn save(
        &self,
        caller: &Caller,
        store: StoreKey,
        request: SaveRequest,
    ) -> Result<JobId, Failure> {
        self.note(format!("save {store} {:?}", request.name));
        self.held_job(caller, Operation::SaveSession, vec![ObjectId::Store(store)])
    }

    fn rename_store(&self, _: &Caller, store: StoreKey, name: &str) -> Result<(), Failure> {
        self.note(format!("rename-store {store} {name:?}"));
        Ok(())
    }

    fn set_default(&self, _: &Caller, store: StoreKey, session: SessionKey) -> Result<(), Failure> {
        self.note(format!("set-default {store} {session}"));
        Ok(())
    }

    fn check_store(
        &self,
        caller: &Caller,
        store: StoreKey,
        session: Option<SessionKey>,
    ) -> Result<JobId, Failure> {
        self.note(format!("check-store {store} {session:?}"));
        self.held_job(caller, Operation::CheckStore, vec![])
    }

    fn rename_session(&self, _: &Caller, session: SessionKey, name: &str) -> Result<(), Failure> {
        self.note(format!("rename-session {session} {name:?}"));
        Ok(())
    }

    fn delete_session(&self, caller: &Caller, session: SessionKey) -> Result<JobId, Failure> {
        self.note(format!("delete-session {session}"));
        self.held_job(
            caller,
            Operation::DeleteSession,
            vec![ObjectId::Session(session)],
        )
    }

    fn upper_space(&self) -> UpperSpace {
        UpperSpace {
            used: 31,
            size: 986,
        }
    }

    /// What a test let happen is found out here, and not before.
    fn look_at_system(&self) {
        if let Some(condition) = self.condition.lock().unwrap().take() {
            self.hub.update(|world| world.live.condition = condition);
        }
    }
}

struct Control {
    hub: Hub,
    double: Arc<Double>,
}

/// Steers the double from the test's process.
#[interface(
    name = "org.ubuntu.WendyTest",
    proxy(default_service = "org.ubuntu.WendyTest", default_path = "/")
)]
impl Control {
    /// What reached the double.
    fn calls(&self) -> Vec<String> {
        self.double.calls.lock().unwrap().clone()
    }

    /// Pulls the stick out.
    fn unplug(&self) {
        self.hub.update(|world| {
            world.sessions.clear();
            world.stores.clear();
            world.devices.remove(&STICK);
        });
    }

    /// Lets the medium with the changes fail, without a word to anybody.
    fn fail(&self) {
        *self.double.condition.lock().unwrap() = Some(Condition {
            state: State::ReadOnly,
            reason: Some(Reason::ReadOnlyFilesystem),
            message: "no more writes".to_owned(),
        });
    }

    /// Lets the system run from the session on the stick.
    fn run_from_session(&self) {
        self.hub.update(|world| {
            world.live.running_session = Some(SESSION);
            world.live.running_name = world.sessions[&SESSION].name.clone();
        });
    }

    /// Lets all jobs go on, now and later.
    fn release(&self) {
        self.double.gate.open();
    }
}
