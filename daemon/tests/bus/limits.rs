//! One caller cannot use up what all need.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::timeout;
use wendy_dbus::{
    Error,
    options::{PrepareOptions, SaveOptions},
    paths::{DevicePath, ROOT, StorePath},
    proxies::WendyProxy,
};
use wendyd::jobs::{MAX_ACTIVE_PER_UID, MAX_FINISHED_PER_UID};
use zbus::{Connection, fdo::ObjectManagerProxy};

use crate::{
    double::{ControlProxy, STICK, STORE},
    policy::{ALLOW, POLICIES},
    system::{NOBODY, PATIENCE, System},
};

/// As many unanswered calls as a stock system bus allows one connection.
const AT_ONCE: usize = 100;

fn options() -> PrepareOptions {
    PrepareOptions {
        name: Some("A name".to_owned()),
        ..PrepareOptions::default()
    }
}

/// Sends so many plans at once; how many were answered and how many were turned away.
async fn flood(caller: &Connection, plans: usize) -> (usize, usize) {
    let wendy = WendyProxy::new(caller).await.unwrap();
    let stick = DevicePath {
        disk_seq: STICK.diskseq,
        partition: None,
    }
    .to_path();
    let options = options();
    let calls: FuturesUnordered<_> = (0..plans)
        .map(|_| wendy.plan_prepare(&stick, &options))
        .collect();
    let answers: Vec<_> = calls.collect().await;
    let busy = answers
        .iter()
        .filter(|answer| matches!(answer, Err(Error::Busy(_))))
        .count();
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(done + busy, plans);
    (done, busy)
}

#[tokio::test]
async fn a_flood_is_turned_away_and_forgotten() {
    let system = System::start(ALLOW).await;
    let (flooder, other) = (system.connect(NOBODY).await, system.connect(1).await);
    // Brings the daemon to its working size.
    flood(&flooder, AT_ONCE).await;
    let (memory, descriptors) = (system.daemon_memory(), system.daemon_descriptors());
    let mut turned_away = 0;
    for _ in 0..10_000 / AT_ONCE {
        turned_away += flood(&flooder, AT_ONCE).await.1;
    }
    assert!(turned_away > 5000, "{turned_away}");
    let started = Instant::now();
    flood(&other, 1).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    let memory_after = system.daemon_memory();
    assert!(
        memory_after < memory + (4 << 20),
        "{memory} bytes before, {memory_after} after"
    );
    system.closes_all_but(descriptors + 8).await;
}

#[tokio::test]
async fn a_user_has_few_jobs_and_leaves_room_for_others() {
    let system = System::start(ALLOW).await;
    let (root, nobody) = (system.connect(0).await, system.connect(NOBODY).await);
    let check = async |caller: &Connection| {
        let store = wendy_dbus::proxies::StoreProxy::builder(caller)
            .path(StorePath(STORE.0).to_path())
            .build()
            .await
            .unwrap();
        store.check(&Default::default()).await
    };
    for _ in 0..MAX_ACTIVE_PER_UID {
        check(&nobody).await.unwrap();
    }
    assert!(matches!(check(&nobody).await, Err(Error::Busy(_))));
    check(&root).await.unwrap();
}

#[tokio::test]
async fn a_thousand_jobs_leave_few_objects_behind() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    save_often(&root, 1000).await;
    let manager = ObjectManagerProxy::new(&root, "org.ubuntu.Wendy", "/org/ubuntu/Wendy");
    let objects = manager.await.unwrap().get_managed_objects().await.unwrap();
    let jobs = objects
        .keys()
        .filter(|path| path.as_str().contains("/jobs/"))
        .count();
    assert!((1..=MAX_FINISHED_PER_UID + 2).contains(&jobs), "{jobs}");
}

/// Starts jobs that nothing holds up.
async fn save_often(caller: &Connection, times: usize) -> WendyProxy<'static> {
    let control = ControlProxy::new(caller).await.unwrap();
    control.release().await.unwrap();
    let wendy = WendyProxy::new(caller).await.unwrap();
    let (store, options) = (StorePath(STORE.0).to_path(), SaveOptions::default());
    for _ in 0..times {
        // The one before may not be over yet.
        let _ = wendy.save_session(&store, "A name", &options).await;
    }
    wendy
}

#[tokio::test]
async fn who_never_listens_holds_up_nobody() {
    let system = System::start(ALLOW).await;
    let (deaf, root) = (system.connect(NOBODY).await, system.connect(0).await);
    let rule = "type='signal',sender='org.ubuntu.Wendy'";
    let bus = zbus::fdo::DBusProxy::new(&deaf).await.unwrap();
    for watch in 0..500 {
        let rule = format!("{rule},path='/org/ubuntu/Wendy/jobs/{watch}'");
        bus.add_match_rule(rule.as_str().try_into().unwrap())
            .await
            .unwrap();
    }
    // From here on nobody reads this stream: its messages pile up at the bus.
    let stream = zbus::MessageStream::from(&deaf);
    let wendy = save_often(&root, 200).await;
    assert_eq!(wendy.state().await.unwrap(), "volatile");
    drop(stream);
}

/// As many connections as a stock bus gives one user, each with as many calls as it may have open.
#[tokio::test]
async fn a_flood_of_connections_holds_up_nobody_else() {
    for policy in POLICIES {
        flood_from_many(&System::start(policy.rules).await).await;
    }
}

async fn flood_from_many(system: &System) {
    let other = system.connect(1).await;
    flood(&other, 1).await;
    let (memory, descriptors) = (system.daemon_memory(), system.daemon_descriptors());
    let mut flooders = Vec::new();
    for _ in 0..200 {
        flooders.push(system.connect(NOBODY).await);
    }
    let floods: FuturesUnordered<_> = flooders.iter().map(|caller| flood(caller, 8)).collect();
    let started = Instant::now();
    let served = async {
        flood(&other, 1).await;
        started.elapsed()
    };
    let (answers, waited) = tokio::join!(floods.collect::<Vec<_>>(), served);
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    assert!(answers.iter().any(|(done, _)| *done > 0));
    drop(flooders);
    flood(&other, 1).await;
    let back = async {
        while system.daemon_memory() > memory + (4 << 20) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, back)
        .await
        .expect("the memory comes back");
    system.closes_all_but(descriptors + 8).await;
}

/// Above what the bus lets through, the sender is cut off; below, nobody keeps it.
#[tokio::test]
async fn huge_messages_leave_nothing_behind() {
    let system = System::start(ALLOW).await;
    let nobody = system.connect(NOBODY).await;
    flood(&nobody, AT_ONCE).await;
    let memory = system.daemon_memory();
    let huge = "x".repeat(16 << 20);
    for _ in 0..4 {
        let wendy = Some("org.ubuntu.Wendy");
        // Not what the method takes, so nobody keeps it.
        let body = (huge.as_str(), 1_u32);
        let root = "/org/ubuntu/Wendy";
        nobody
            .call_method(wendy, root, wendy, "PlanPrepare", &body)
            .await
            .unwrap_err();
    }
    let giant = "x".repeat(100 << 20);
    let sender = system.connect(NOBODY).await;
    let sent = sender
        .call_method(
            Some("org.ubuntu.Wendy"),
            ROOT,
            Some("org.ubuntu.Wendy"),
            "PlanPrepare",
            &giant,
        )
        .await;
    sent.unwrap_err();
    flood(&nobody, AT_ONCE).await;
    let memory_after = system.daemon_memory();
    assert!(
        memory_after < memory + (4 << 20),
        "{memory} bytes before, {memory_after} after"
    );
}
