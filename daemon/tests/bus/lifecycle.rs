//! Jobs from their start to the end, and the daemon's own.

use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{sync::mpsc, time::timeout};
use wendy_dbus::{
    Error,
    options::{NoOptions, PrepareOptions, SaveOptions},
    paths::{DevicePath, StorePath},
    proxies::{FinishedStream, JobProxy, WendyProxy},
};
use zbus::{
    Connection, OwnedFd, OwnedObjectPath, Variant,
    connection::Builder,
    fdo::{ObjectManagerProxy, PropertiesProxy},
    interface,
};

use crate::{
    double::{ControlProxy, STICK, STORE},
    policy::ALLOW,
    system::{NOBODY, PATIENCE, System},
};

async fn save(caller: &Connection) -> wendy_dbus::Result<OwnedObjectPath> {
    let store = StorePath(STORE.0).to_path();
    WendyProxy::new(caller)
        .await?
        .save_session(&store, "A name", &SaveOptions::default())
        .await
}

async fn prepare(caller: &Connection) -> wendy_dbus::Result<OwnedObjectPath> {
    let device = DevicePath {
        disk_seq: STICK.diskseq,
        partition: None,
    }
    .to_path();
    let options = PrepareOptions {
        name: Some("Stick".to_owned()),
        ..Default::default()
    };
    WendyProxy::new(caller)
        .await?
        .prepare_device(&device, &options)
        .await
}

async fn job(connection: &Connection, path: &OwnedObjectPath) -> JobProxy<'static> {
    JobProxy::builder(connection)
        .path(path.clone())
        .build()
        .await
        .unwrap()
}

/// Result, error and message of the next `Finished`.
async fn finished(stream: &mut FinishedStream) -> (String, String, wendy_dbus::facts::Facts) {
    let signal = timeout(PATIENCE, stream.next())
        .await
        .expect("the job finishes")
        .unwrap();
    let args = signal.args().unwrap();
    (
        args.result().to_string(),
        args.error().to_string(),
        args.facts().clone(),
    )
}

async fn control(connection: &Connection) -> ControlProxy<'static> {
    ControlProxy::new(connection).await.unwrap()
}

#[tokio::test]
async fn a_finished_job_tells_its_facts_then_and_later() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let path = save(&root).await.unwrap();
    let job = job(&root, &path).await;
    assert_eq!(job.operation().await.unwrap(), "save-session");
    assert!(job.cancelable().await.unwrap());
    let mut ends = job.receive_finished().await.unwrap();
    control(&root).await.release().await.unwrap();
    let (result, error, facts) = finished(&mut ends).await;
    assert_eq!((result.as_str(), error.as_str()), ("done", ""));
    assert_eq!(
        (facts.bytes, facts.store.clone()),
        (Some(100), Some(StorePath(STORE.0).to_path()))
    );
    // The properties had their last values before the signal.
    assert_eq!(job.state().await.unwrap(), "done");
    assert!((job.progress().await.unwrap() - 1.0).abs() < f64::EPSILON);
    assert_eq!(job.facts().await.unwrap(), facts);
}

#[tokio::test]
async fn a_job_goes_on_when_its_caller_leaves() {
    let system = System::start(ALLOW).await;
    let (root, caller) = (system.connect(0).await, system.connect(NOBODY).await);
    let path = save(&caller).await.unwrap();
    caller.close().await.unwrap();
    let job = job(&root, &path).await;
    let mut ends = job.receive_finished().await.unwrap();
    control(&root).await.release().await.unwrap();
    assert_eq!(finished(&mut ends).await.0, "done");
    assert_eq!(job.started_by_uid().await.unwrap(), NOBODY);
}

#[tokio::test]
async fn a_cancelled_job_says_so_and_cancelling_twice_is_no_error() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let job = job(&root, &save(&root).await.unwrap()).await;
    let mut ends = job.receive_finished().await.unwrap();
    job.cancel(&NoOptions {}).await.unwrap();
    let (result, error, _) = finished(&mut ends).await;
    assert_eq!(result, "cancelled");
    assert_eq!(error, "org.ubuntu.Wendy.Error.Cancelled");
    job.cancel(&NoOptions {}).await.unwrap();
}

#[tokio::test]
async fn a_pulled_stick_ends_its_job_with_gone_and_takes_its_objects_along() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let job = job(&root, &prepare(&root).await.unwrap()).await;
    let mut ends = job.receive_finished().await.unwrap();
    control(&root).await.unplug().await.unwrap();
    let (result, error, _) = finished(&mut ends).await;
    assert_eq!(
        (result.as_str(), error.as_str()),
        ("failed", "org.ubuntu.Wendy.Error.Gone")
    );
    let manager = ObjectManagerProxy::new(&root, "org.ubuntu.Wendy", "/org/ubuntu/Wendy");
    let objects = manager.await.unwrap().get_managed_objects().await.unwrap();
    let left: Vec<_> = objects
        .keys()
        .map(|path| path.as_str())
        .filter(|path| path.contains("/devices/"))
        .collect();
    assert_eq!(left, ["/org/ubuntu/Wendy/devices/8"]);
    assert!(matches!(save(&root).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn one_stick_has_one_job() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    prepare(&root).await.unwrap();
    assert!(matches!(prepare(&root).await, Err(Error::Busy(_))));
}

#[tokio::test]
async fn changes_come_in_one_signal_with_nothing_else_in_it() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let job = job(&root, &save(&root).await.unwrap()).await;
    let properties = PropertiesProxy::builder(&root)
        .destination("org.ubuntu.Wendy")
        .path(job.inner().path().to_owned())
        .build()
        .await
        .unwrap();
    let mut changes = properties.receive_properties_changed().await.unwrap();
    control(&root).await.release().await.unwrap();
    loop {
        let change = timeout(PATIENCE, changes.next()).await.unwrap().unwrap();
        let args = change.args().unwrap();
        let names: Vec<_> = args.changed_properties().keys().copied().collect();
        assert!(
            !names.contains(&"Operation") && !names.contains(&"StartedByUid"),
            "{names:?}"
        );
        let state = args.changed_properties().get("State");
        // It may be seen to begin first.
        if state.is_some_and(|state| *state == Variant::from("done")) {
            assert!(
                names.contains(&"Progress") && names.contains(&"Facts"),
                "{names:?}"
            );
            return;
        }
    }
}

#[tokio::test]
async fn a_stopping_daemon_brings_its_job_to_an_end_first() {
    let mut system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let job = job(&root, &save(&root).await.unwrap()).await;
    let mut ends = job.receive_finished().await.unwrap();
    let pid = Pid::from_raw(i32::try_from(system.daemon_pid).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(finished(&mut ends).await.0, "cancelled");
    assert!(system.daemon_ended_well());
}

/// A logind that notes who keeps it from sleeping.
struct Login {
    locks: mpsc::UnboundedSender<(String, std::os::unix::net::UnixStream)>,
}

#[interface(name = "org.freedesktop.login1.Manager")]
impl Login {
    fn inhibit(&self, what: String, _who: String, _why: String, mode: String) -> OwnedFd {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        self.locks.send((format!("{what} {mode}"), ours)).unwrap();
        std::os::fd::OwnedFd::from(theirs).into()
    }
}

#[tokio::test]
async fn the_computer_stays_awake_exactly_while_a_job_works() {
    let system = System::start(ALLOW).await;
    let (locks, mut held) = mpsc::unbounded_channel();
    let _login = Builder::address(system.address().as_str())
        .serve_at("/org/freedesktop/login1", Login { locks })
        .name("org.freedesktop.login1")
        .build()
        .await
        .unwrap();
    let root = system.connect(0).await;
    save(&root).await.unwrap();
    let (asked, lock) = timeout(PATIENCE, held.recv()).await.unwrap().unwrap();
    assert_eq!(asked, "shutdown:sleep block");
    control(&root).await.release().await.unwrap();
    // Reads the end of the stream once the daemon has closed its side.
    lock.set_nonblocking(true).unwrap();
    let lock = tokio::net::UnixStream::from_std(lock).unwrap();
    timeout(PATIENCE, lock.readable())
        .await
        .expect("the lock is released")
        .unwrap();
    assert_eq!(lock.try_read(&mut [0; 1]).unwrap(), 0);
}

#[tokio::test]
async fn properties_of_the_world_are_shown() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let wendy = WendyProxy::new(&root).await.unwrap();
    assert_eq!(wendy.live_stack().await.unwrap(), "live-boot");
    assert_eq!(wendy.upper_used().await.unwrap(), 31);
    let capabilities = wendy.capabilities().await.unwrap();
    assert!(
        !capabilities
            .iter()
            .any(|word| word == "encrypt" || word == "snapshot")
    );
    let device = DevicePath {
        disk_seq: STICK.diskseq,
        partition: None,
    }
    .to_path();
    let options = PrepareOptions {
        name: Some("S".to_owned()),
        ..Default::default()
    };
    let (plan, token) = wendy.plan_prepare(&device, &options).await.unwrap();
    assert_eq!(
        (plan.device, plan.lost[0].size, token.as_str()),
        (device, 5, "token")
    );
    let store = StorePath(STORE.0).to_path();
    let options = SaveOptions {
        exclude: Some(vec!["caches".to_owned()]),
        ..Default::default()
    };
    let plan = wendy.plan_save(&store, "S", &options).await.unwrap();
    assert_eq!(
        (plan.session.as_str(), plan.exclude),
        ("/", vec!["caches".to_owned()])
    );
}
