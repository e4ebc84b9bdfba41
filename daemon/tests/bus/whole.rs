//! The daemon as it is installed, engine and all, with a loop device as the stick.

#[path = "../../src/testing/udev.rs"]
mod udev;

use std::{fs::File, os::fd::AsFd, path::Path};

use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::time::timeout;
use wendy_dbus::{
    Error,
    options::PrepareOptions,
    proxies::{JobProxy, WendyProxy},
};
use wendy_sys::{
    Cancel,
    loopdev::{Loop, LoopOptions},
    tool::Tool,
};
use zbus::{Connection, OwnedObjectPath, fdo::ObjectManagerProxy};

use udev::ensure_udev;

use crate::system::{ALLOW, NOBODY, PATIENCE, System};

/// A stick with somebody's files on it.
struct Stick {
    device: Loop,
    image: File,
    _directory: TempDir,
}

impl Stick {
    fn plug() -> Stick {
        ensure_udev();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stick.img");
        let image = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        image.set_len(256 << 20).unwrap();
        let mkfs = Tool::new("mkfs.ext4")
            .args(["-q", "-F", "-L", "holiday"])
            .arg(&path);
        mkfs.run(&Cancel::default()).unwrap();
        let options = LoopOptions {
            partscan: true,
            ..LoopOptions::default()
        };
        let device = Loop::attach(image.as_fd(), options).unwrap();
        Stick {
            device,
            image,
            _directory: directory,
        }
    }

    fn content(&self) -> Vec<u8> {
        use std::os::unix::fs::FileExt;
        let mut content = vec![0; 1 << 20];
        self.image.read_exact_at(&mut content, 0).unwrap();
        content
    }
}

/// The device object with this node; waits until it is there.
async fn object_of(connection: &Connection, node: &Path) -> OwnedObjectPath {
    let manager = ObjectManagerProxy::new(connection, "org.ubuntu.Wendy", "/org/ubuntu/Wendy");
    let manager = manager.await.unwrap();
    let mut added = manager.receive_interfaces_added().await.unwrap();
    let find = async {
        loop {
            let objects = manager.get_managed_objects().await.unwrap();
            for (path, interfaces) in objects {
                let device = interfaces
                    .iter()
                    .find(|(name, _)| name.ends_with(".Device"));
                let shown = device.and_then(|(_, values)| values.get("DeviceNode"));
                let shown = shown.and_then(|value| value.downcast_ref::<&str>().ok());
                if shown.is_some_and(|shown| Path::new(shown) == node) {
                    return path;
                }
            }
            added.next().await.unwrap();
        }
    };
    timeout(PATIENCE, find).await.expect("the stick shows up")
}

fn options(name: &str) -> PrepareOptions {
    PrepareOptions {
        name: Some(name.to_owned()),
        ..PrepareOptions::default()
    }
}

fn with_token(name: &str, token: &str) -> PrepareOptions {
    PrepareOptions {
        token: Some(token.to_owned()),
        ..options(name)
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_caller_its_plan_and_once() {
    let stick = Stick::plug();
    let system = System::start_installed(ALLOW).await;
    let (mine, theirs) = (system.connect(NOBODY).await, system.connect(NOBODY).await);
    let device = object_of(&mine, stick.device.node()).await;
    let wendy = WendyProxy::new(&mine).await.unwrap();
    let (plan, token) = wendy.plan_prepare(&device, &options("Mine")).await.unwrap();
    assert!(
        plan.destroys
            && plan
                .lost
                .iter()
                .any(|piece| piece.label.as_deref() == Some("holiday"))
    );

    let before = stick.content();
    let without = wendy
        .prepare_device(&device, &options("Mine"))
        .await
        .unwrap_err();
    assert!(matches!(without, Error::NeedsToken(_)), "{without:?}");
    let thief = WendyProxy::new(&theirs).await.unwrap();
    let stolen = thief
        .prepare_device(&device, &with_token("Mine", &token))
        .await
        .unwrap_err();
    assert!(matches!(stolen, Error::StaleToken(_)), "{stolen:?}");
    assert_eq!(stick.content(), before);

    let job = wendy
        .prepare_device(&device, &with_token("Mine", &token))
        .await
        .unwrap();
    let job = JobProxy::builder(&mine).path(job).build().await.unwrap();
    let mut ends = job.receive_finished().await.unwrap();
    if !["done", "failed"].contains(&job.state().await.unwrap().as_str()) {
        timeout(PATIENCE * 4, ends.next())
            .await
            .expect("the job ends")
            .unwrap();
    }
    assert_eq!(job.message().await.unwrap(), "");
    assert_eq!(job.state().await.unwrap(), "done");
    let again = wendy
        .prepare_device(&device, &with_token("Mine", &token))
        .await
        .unwrap_err();
    assert!(matches!(again, Error::StaleToken(_)), "{again:?}");
}

#[tokio::test]
async fn a_token_does_not_fit_a_changed_plan() {
    let stick = Stick::plug();
    let system = System::start_installed(ALLOW).await;
    let root = system.connect(0).await;
    let device = object_of(&root, stick.device.node()).await;
    let wendy = WendyProxy::new(&root).await.unwrap();
    let (_, token) = wendy.plan_prepare(&device, &options("One")).await.unwrap();
    let before = stick.content();
    let other = wendy
        .prepare_device(&device, &with_token("Another", &token))
        .await
        .unwrap_err();
    assert!(matches!(other, Error::StaleToken(_)), "{other:?}");
    assert_eq!(stick.content(), before);
}

#[tokio::test]
async fn a_stick_in_the_place_of_another_is_not_touched() {
    let first = Stick::plug();
    let system = System::start_installed(ALLOW).await;
    let root = system.connect(0).await;
    let node = first.device.node().to_owned();
    let device = object_of(&root, &node).await;
    let wendy = WendyProxy::new(&root).await.unwrap();
    let (_, token) = wendy.plan_prepare(&device, &options("Mine")).await.unwrap();
    drop(first);
    let second = Stick::plug();
    let before = second.content();
    let error = wendy
        .prepare_device(&device, &with_token("Mine", &token))
        .await
        .unwrap_err();
    let refused = matches!(
        error,
        Error::NotFound(_) | Error::Gone(_) | Error::DeviceChanged(_)
    );
    assert!(refused, "{error:?}");
    assert_eq!(second.content(), before);
}

#[tokio::test]
async fn odd_sizes_and_names_are_refused_and_leak_nothing() {
    let stick = Stick::plug();
    let system = System::start_installed(ALLOW).await;
    let root = system.connect(0).await;
    let device = object_of(&root, stick.device.node()).await;
    let wendy = WendyProxy::new(&root).await.unwrap();
    let before = stick.content();
    let odd = async || {
        for size in [0, 7, u64::MAX, 1 << 60] {
            let sized = PrepareOptions {
                size: Some(size),
                ..options("Mine")
            };
            wendy.plan_prepare(&device, &sized).await.unwrap_err();
        }
        for name in ["", " ", "a\nb", &"x".repeat(300), &"x".repeat(65536)] {
            let error = wendy
                .plan_prepare(&device, &options(name))
                .await
                .unwrap_err();
            assert!(
                matches!(error, Error::InvalidArgument(_)),
                "{name:?}: {error:?}"
            );
        }
        for (mode, filesystem) in [
            ("sideways", "ext4"),
            ("device", "ntfs"),
            ("device", "; reboot"),
        ] {
            let nonsense = PrepareOptions {
                mode: Some(mode.to_owned()),
                filesystem: Some(filesystem.to_owned()),
                ..options("Mine")
            };
            wendy.plan_prepare(&device, &nonsense).await.unwrap_err();
        }
    };
    odd().await;
    let (open, memory) = (system.daemon_descriptors(), system.daemon_memory());
    for _ in 0..20 {
        odd().await;
    }
    assert!(system.daemon_descriptors() <= open + 4);
    assert!(system.daemon_memory() < memory + (4 << 20));
    assert_eq!(stick.content(), before);
}
