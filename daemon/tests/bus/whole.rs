//! The daemon as it is installed, engine and all, with a loop device as the stick.

use std::{
    fs::{self, File},
    os::fd::AsFd,
    path::Path,
};

use futures_util::StreamExt;
use tokio::time::timeout;
use wendy_dbus::{
    Error,
    options::PrepareOptions,
    proxies::{JobProxy, WendyProxy},
};

use wendy_sys::loopdev::{Loop, LoopOptions};

use crate::{
    common::{self, Live, ensure_udev, eventually, run},
    living::{object_on, start_on},
    policy::{ALLOW, POLICIES},
    system::{NOBODY, PATIENCE, System},
};

/// A stick with somebody's files on it.
struct Stick(common::Stick);

impl Stick {
    fn plug() -> Stick {
        ensure_udev();
        Stick(common::Stick::made(256 << 20, |image| {
            run(
                "mkfs.ext4",
                &["-q", "-F", "-L", "holiday", image.to_str().unwrap()],
            );
        }))
    }

    fn content(&self) -> Vec<u8> {
        use std::os::unix::fs::FileExt;
        let mut content = vec![0; 1 << 20];
        let image = File::open(self.0.image()).unwrap();
        image.read_exact_at(&mut content, 0).unwrap();
        content
    }

    /// Its object on the bus.
    async fn object(&self, connection: &zbus::Connection) -> zbus::OwnedObjectPath {
        object_on(connection, ".Device", self.0.node(), None).await
    }
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
    let device = stick.object(&mine).await;
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
async fn of_many_who_use_one_token_at_once_one_wins() {
    for policy in POLICIES {
        let stick = Stick::plug();
        let system = System::start_installed(policy.rules).await;
        let nobody = system.connect(NOBODY).await;
        let device = stick.object(&nobody).await;
        let wendy = WendyProxy::new(&nobody).await.unwrap();
        let plan = wendy.plan_prepare(&device, &options("Mine")).await;
        let (_, token) = plan.unwrap();
        let before = stick.content();
        let wanted = with_token("Mine", &token);
        let calls = (0..6).map(|_| wendy.prepare_device(&device, &wanted));
        let answers = futures_util::future::join_all(calls).await;
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(won, usize::from(policy.refusal.is_none()), "{answers:?}");
        for error in answers.into_iter().filter_map(Result::err) {
            let name = zbus::DBusError::name(&error).to_string();
            let lost = ["StaleToken", "Busy", "DeviceBusy", "DeviceChanged"];
            let lost = lost.iter().any(|word| name.ends_with(word));
            assert!(lost || policy.refuses_with(&name), "{name}");
        }
        assert!(won == 1 || stick.content() == before);
    }
}

/// Whatever is asked for, and whoever asks: what is in use stays as it is.
#[tokio::test]
async fn no_option_leads_around_a_device_in_use() {
    for policy in POLICIES {
        let (mounted, held) = (Stick::plug(), Stick::plug());
        let _mount = common::mounted(mounted.0.node(), "ext4");
        let node = File::open(held.0.node()).unwrap();
        let _holder = Loop::attach(node.as_fd(), LoopOptions::default()).unwrap();
        let live = Live::new();
        let boot = Stick::plug();
        let medium = Some(boot.0.node());
        let system = start_on(policy.rules, live.directory.path(), "one", medium).await;
        let nobody = system.connect(NOBODY).await;
        let wendy = WendyProxy::new(&nobody).await.unwrap();
        for stick in [&mounted, &held, &boot] {
            let (device, before) = (stick.object(&nobody).await, stick.content());
            for mode in ["device", "partition", "loopback", "force", ""] {
                let options = PrepareOptions {
                    mode: Some(mode.to_owned()),
                    ..options("Mine")
                };
                let planned = wendy.plan_prepare(&device, &options).await;
                let node = stick.0.node().display();
                assert!(planned.is_err(), "{mode} of {node}: {planned:?}");
                let error = wendy.prepare_device(&device, &options).await.unwrap_err();
                let name = zbus::DBusError::name(&error).to_string();
                let own = match mode {
                    "device" => name.ends_with("DeviceBusy"),
                    _ => !name.ends_with("Failed"),
                };
                assert!(
                    own || policy.refuses_with(&name),
                    "{mode} of {node}: {name}"
                );
            }
            assert_eq!(stick.content(), before);
        }
    }
}

#[tokio::test]
async fn a_token_does_not_fit_a_changed_plan() {
    let stick = Stick::plug();
    let system = System::start_installed(ALLOW).await;
    let root = system.connect(0).await;
    let device = stick.object(&root).await;
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
    let device = first.object(&root).await;
    let wendy = WendyProxy::new(&root).await.unwrap();
    let (_, token) = wendy.plan_prepare(&device, &options("Mine")).await.unwrap();
    let loop_name = first.0.node().file_name().unwrap().to_owned();
    let image = first.0.image().to_str().unwrap().to_owned();
    drop(first);
    let shown = Path::new("/sys/block")
        .join(loop_name)
        .join("loop/backing_file");
    // A program that is just being started may hold it a moment longer.
    eventually("it is pulled out", || {
        // By now its image is "(deleted)".
        fs::read_to_string(&shown).map_or(true, |other| !other.starts_with(&image))
    });
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
    for policy in POLICIES {
        refuse_odd_sizes_and_names(&System::start_installed(policy.rules).await).await;
    }
}

async fn refuse_odd_sizes_and_names(system: &System) {
    let stick = Stick::plug();
    let nobody = system.connect(NOBODY).await;
    let device = stick.object(&nobody).await;
    let wendy = WendyProxy::new(&nobody).await.unwrap();
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
    // It may be looking at a stick of another test.
    eventually("no descriptor is left", || {
        system.daemon_descriptors() <= open + 4
    });
    assert!(system.daemon_memory() < memory + (4 << 20));
    assert_eq!(stick.content(), before);
}
