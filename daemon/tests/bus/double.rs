//! Stands behind the bus in place of the engine: a small made-up world, and a record of who got
//! through. It runs in a process of its own, and tests steer it over the bus.

mod control;
mod operations;
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
    model::{Condition, Hub},
    operations::Caller,
    run::{Rooms, Signals, run},
};
use zbus::connection::Builder;

use control::Control;
use world::plug;

pub use control::ControlProxy;
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
