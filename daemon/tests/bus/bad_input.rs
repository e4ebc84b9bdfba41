//! Bad input gets its named error, and wendyctl says so in words and with its exit status.

use std::fs;

use wendy_dbus::{options::SaveOptions, paths::DevicePath, proxies::StoreProxy};
use wendy_sys::loopdev::{Loop, LoopOptions};

use crate::{
    calls::{fails, only_session, prepare, save, update_of},
    common::{Live, Stick, ensure_udev, mounted},
    living::{Living, object_on, start_on},
    policy::ALLOW,
    system::System,
};

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
    let (mut living, _) = Living::with_session().await;
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
