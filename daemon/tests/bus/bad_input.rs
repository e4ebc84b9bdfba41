//! Bad input gets its named error, and wendyctl says so in words and with its exit status.

use std::fs;

use futures_util::StreamExt;
use tokio::time::timeout;
use wendy_dbus::{
    Result,
    options::{PrepareOptions, SaveOptions},
    paths::{DevicePath, ROOT},
    proxies::{JobProxy, StoreProxy, WendyProxy},
};
use wendy_sys::loopdev::{Loop, LoopOptions};
use zbus::{Connection, DBusError, OwnedObjectPath};

use crate::{
    common::{Live, Stick, ensure_udev, mounted, path_of},
    living::{Living, object_on, start_on},
    policy::ALLOW,
    system::{PATIENCE, Ran, System},
};

/// The name of the error that a call, or the job it starts, ends with; without what all have.
pub async fn outcome(caller: &Connection, job: Result<OwnedObjectPath>) -> String {
    let name = match job {
        Err(error) => error.name().to_string(),
        Ok(path) => {
            let job = JobProxy::builder(caller).path(path).build().await.unwrap();
            let mut ends = job.receive_finished().await.unwrap();
            let state = job.state().await.unwrap();
            if !["done", "failed", "cancelled"].contains(&state.as_str()) {
                timeout(PATIENCE, ends.next()).await.expect("the job ends");
            }
            job.error().await.unwrap()
        }
    };
    name.trim_start_matches("org.ubuntu.Wendy.Error.")
        .to_owned()
}

pub async fn save(
    caller: &Connection,
    store: &OwnedObjectPath,
    name: &str,
    options: SaveOptions,
) -> String {
    let wendy = WendyProxy::new(caller).await.unwrap();
    let job = wendy.save_session(store, name, &options).await;
    outcome(caller, job).await
}

pub async fn prepare(caller: &Connection, device: &OwnedObjectPath, name: &str) -> String {
    let options = PrepareOptions {
        name: Some(name.to_owned()),
        ..PrepareOptions::default()
    };
    let wendy = WendyProxy::new(caller).await.unwrap();
    let job = wendy.prepare_device(device, &options).await;
    outcome(caller, job).await
}

/// What wendyctl makes of it.
#[track_caller]
fn fails(ran: Ran, code: i32, words: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert!(ran.err.contains(words), "{words:?} is not in {ran:?}");
}

fn update_of(session: &OwnedObjectPath) -> SaveOptions {
    SaveOptions {
        session: Some(session.clone()),
        ..SaveOptions::default()
    }
}

#[tokio::test]
async fn not_a_live_system() {
    ensure_udev();
    let stick = Stick::prepared(128 << 20);
    let partition = stick.partition(1);
    let system = System::start_installed(ALLOW).await;
    let root = system.connect(0).await;
    let store = object_on(&root, ".Device", partition.node(), Some("Store")).await;
    let error = save(&root, &store, "One", SaveOptions::default()).await;
    assert_eq!(error, "NotLive");
    let place = partition.node().to_str().unwrap();
    let ran = system.wendyctl(&["save", "One", "--store", place]);
    fails(ran, 11, "this is no live system");
}

#[tokio::test]
async fn devices_that_cannot_be_prepared() {
    ensure_udev();
    let boot_medium = Stick::formatted(128 << 20, "ext4");
    let used = Stick::formatted(128 << 20, "ext4");
    let _mount = mounted(used.node(), "ext4");
    let small = Stick::new(32 << 20);
    let protected = Stick::new(128 << 20);
    let options = LoopOptions {
        read_only: true,
        ..LoopOptions::default()
    };
    let image = fs::File::open(protected.image()).unwrap();
    let protected = Loop::attach(std::os::fd::AsFd::as_fd(&image), options).unwrap();
    let live = Live::new();
    let system = start_on(
        ALLOW,
        live.directory.path(),
        "one",
        Some(boot_medium.node()),
    )
    .await;
    let root = system.connect(0).await;
    for (node, error, code, words) in [
        (
            boot_medium.node(),
            "DeviceBusy",
            8,
            "the medium this system was started from",
        ),
        (used.node(), "DeviceBusy", 8, "is in use"),
        (small.node(), "NoSpace", 7, "use a larger one"),
        (protected.node(), "NotSupported", 11, "read-only"),
    ] {
        let device = object_on(&root, ".Device", node, None).await;
        assert_eq!(prepare(&root, &device, "Mine").await, error, "{words}");
        let node = node.to_str().unwrap();
        let args = [
            "prepare",
            node,
            "--mode",
            "device",
            "--name",
            "Mine",
            "--dry-run",
        ];
        fails(system.wendyctl(&args), code, words);
    }
    let unknown = DevicePath {
        disk_seq: u64::MAX,
        partition: None,
    };
    let unknown = unknown.to_path();
    assert_eq!(prepare(&root, &unknown, "Mine").await, "NotFound");
    let ran = system.wendyctl(&["prepare", "sdzz", "--name", "Mine", "--dry-run"]);
    fails(ran, 4, "sdzz");
}

/// Names that cannot be shown or stored, and what is said of them.
fn bad_names() -> [(String, &'static str); 4] {
    [
        (String::new(), "at least one character"),
        ("x".repeat(300), "longer than 100 bytes"),
        ("a\nb".to_owned(), "control character"),
        ("\u{1b}[2J".to_owned(), "control character"),
    ]
}

#[tokio::test]
async fn names_that_cannot_be_used() {
    let living = Living::start(ALLOW).await;
    let root = living.system.connect(0).await;
    let blank = Stick::new(128 << 20);
    let device = object_on(&root, ".Device", blank.node(), None).await;
    let default = SaveOptions::default;
    for (name, words) in bad_names() {
        assert_eq!(
            save(&root, &living.store, &name, default()).await,
            "InvalidArgument"
        );
        let ran = living
            .system
            .wendyctl(&["save", &name, "--store", living.place()]);
        fails(ran, 2, words);
        assert_eq!(prepare(&root, &device, &name).await, "InvalidArgument");
        let node = blank.node().to_str().unwrap();
        let ran = living
            .system
            .wendyctl(&["prepare", node, "--name", &name, "--dry-run"]);
        fails(ran, 2, words);
        let store = StoreProxy::builder(&root).path(living.store.clone());
        let renamed = store.build().await.unwrap().rename(&name).await;
        assert!(renamed.is_err(), "{name:?}");
    }
    assert_eq!(save(&root, &living.store, "One", default()).await, "");
    assert_eq!(
        save(&root, &living.store, "One", default()).await,
        "InvalidArgument"
    );
    let ran = living
        .system
        .wendyctl(&["save", "One", "--store", living.place()]);
    // This very system saved it, so that wendyctl updates it.
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[tokio::test]
async fn a_name_that_is_taken() {
    let (mut living, ..) = with_session().await;
    // As after a new start of the system, which has saved nothing yet.
    fs::remove_dir_all(living.live.directory.path().join("index")).unwrap();
    living = living.restart_on(ALLOW, "one").await;
    let root = living.system.connect(0).await;
    let error = save(&root, &living.store, "One", SaveOptions::default()).await;
    assert_eq!(error, "InvalidArgument");
    let args = ["save", "One", "--store", living.place()];
    fails(living.system.wendyctl(&args), 5, "One");
}

#[tokio::test]
async fn a_store_that_is_full() {
    let living = Living::start(ALLOW).await;
    let root = living.system.connect(0).await;
    let ballast = living.live.upper().join("srv/ballast");
    living.live.write("srv/ballast", "");
    fs::write(&ballast, vec![1; 140 << 20]).unwrap();
    let error = save(&root, &living.store, "Large", SaveOptions::default()).await;
    assert_eq!(error, "NoSpace");
    let ran = living
        .system
        .wendyctl(&["save", "Large", "--store", living.place()]);
    fails(ran, 7, "delete a session or use a larger one");
}

#[tokio::test]
async fn a_session_of_another_image() {
    let living = Living::start(ALLOW).await;
    let root = living.system.connect(0).await;
    assert_eq!(
        save(&root, &living.store, "One", SaveOptions::default()).await,
        ""
    );
    let living = living.restart_on(ALLOW, "another").await;
    let root = living.system.connect(0).await;
    let session = only_session(&root, &living.store).await;
    let error = save(&root, &living.store, "", update_of(&session)).await;
    assert_eq!(error, "Incompatible");
    let ran = living
        .system
        .wendyctl(&["save", "--session", "One", "--store", living.place()]);
    fails(ran, 11, "belongs to another live image");
}

#[tokio::test]
async fn a_session_of_a_newer_format() {
    let (mut living, session, record) = with_session().await;
    rewrite(&living, &record, |good| {
        good.replace("format=1", "format=9")
    });
    living = living.restart_on(ALLOW, "one").await;
    let root = living.system.connect(0).await;
    let error = save(&root, &living.store, "", update_of(&session)).await;
    assert_eq!(error, "Incompatible");
    let args = ["save", "--session", "One", "--store", living.place()];
    fails(living.system.wendyctl(&args), 11, "use a newer wendy");
}

#[tokio::test]
async fn a_store_of_a_newer_format() {
    let (mut living, ..) = with_session().await;
    rewrite(&living, MARKER, |good| good.replace("format=1", "format=9"));
    living = living.restart_on(ALLOW, "one").await;
    let root = living.system.connect(0).await;
    let error = save(&root, &living.store, "Two", SaveOptions::default()).await;
    assert_eq!(error, "Incompatible");
    let args = ["save", "Two", "--store", living.place()];
    fails(living.system.wendyctl(&args), 11, "use a newer wendy");
}

/// What is wrong with a record that is damaged.
const DAMAGES: [&str; 3] = ["format=one", "nonsense", "name=\u{7}"];

#[tokio::test]
async fn a_damaged_session_is_told_and_keeps_nobody_from_saving() {
    let (mut living, session, record) = with_session().await;
    for damage in DAMAGES {
        let good = rewrite(&living, &record, |good| good.replace("format=1", damage));
        living = living.restart_on(ALLOW, "one").await;
        let root = living.system.connect(0).await;
        let error = save(&root, &living.store, "", update_of(&session)).await;
        assert_eq!(
            error, "NotFound",
            "{damage}: what cannot be read is not shown"
        );
        let args = ["verify", living.place()];
        fails(
            living.system.wendyctl(&args),
            12,
            "differs from what was saved",
        );
        assert_eq!(
            save(
                &root,
                &living.store,
                damage.trim_end_matches('\u{7}'),
                SaveOptions::default()
            )
            .await,
            ""
        );
        rewrite(&living, &record, |_| good.clone());
    }
}

#[tokio::test]
async fn a_damaged_store() {
    let (mut living, ..) = with_session().await;
    for damage in DAMAGES {
        let good = rewrite(&living, MARKER, |good| good.replace("format=1", damage));
        living = living.restart_on(ALLOW, "one").await;
        let root = living.system.connect(0).await;
        let error = save(&root, &living.store, "Two", SaveOptions::default()).await;
        assert_eq!(error, "Corrupt", "{damage}");
        let args = ["save", "Two", "--store", living.place()];
        fails(living.system.wendyctl(&args), 12, "is damaged");
        rewrite(&living, MARKER, |_| good.clone());
    }
    let living = living.restart_on(ALLOW, "one").await;
    let root = living.system.connect(0).await;
    assert_eq!(
        save(&root, &living.store, "Two", SaveOptions::default()).await,
        ""
    );
}

/// The marker of a store.
const MARKER: &str = "casper/.info";

/// A store with a session, the session's object, and the path of its record.
async fn with_session() -> (Living, OwnedObjectPath, String) {
    let living = Living::start(ALLOW).await;
    let root = living.system.connect(0).await;
    assert_eq!(
        save(&root, &living.store, "One", SaveOptions::default()).await,
        ""
    );
    let session = only_session(&root, &living.store).await;
    let record = format!("casper/sessions/{}/.info", session_id(&living));
    (living, session, record)
}

async fn only_session(caller: &Connection, store: &OwnedObjectPath) -> OwnedObjectPath {
    let store = StoreProxy::builder(caller).path(store.clone()).build();
    let sessions = store.await.unwrap().sessions().await.unwrap();
    assert_eq!(sessions.len(), 1, "below {ROOT}");
    sessions[0].clone()
}

fn session_id(living: &Living) -> String {
    let store = living.partition.store();
    let saved = wendyd::stores::Saved::read(store.root()).unwrap();
    saved.sessions[0].record.id.to_string()
}

/// Changes a file of the store behind the daemon's back; what it held before.
fn rewrite(living: &Living, file: &str, change: impl Fn(&str) -> String) -> String {
    let mount = mounted(living.partition.node(), "ext4");
    let path = path_of(&mount).join(file);
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, change(&before)).unwrap();
    before
}
