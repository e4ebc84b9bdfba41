//! Arguments from somebody who means harm.

use std::{
    collections::HashMap,
    fs::File,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::{
    fs::{MemfdFlags, Mode, OFlags, memfd_create, open},
    pipe::pipe,
};
use tokio::time::timeout;
use wendy_dbus::{Error, options::PrepareOptions, paths::ROOT, proxies::WendyProxy};
use zbus::{Connection, ObjectPath, Variant, fdo::PeerProxy};

use crate::{
    authorization::{error_name, object_of},
    double::ControlProxy,
    policy::{ALLOW, POLICIES, Policy},
    raw::RawConnection,
    system::{NOBODY, System},
};

type Options<'a> = HashMap<&'a str, Variant<'a>>;

const INVALID: &str = "org.ubuntu.Wendy.Error.InvalidArgument";
const NOT_FOUND: &str = "org.ubuntu.Wendy.Error.NotFound";

async fn prepare(
    caller: &Connection,
    device: &str,
    options: Options<'_>,
) -> zbus::Result<zbus::Message> {
    let device = ObjectPath::try_from(device).unwrap();
    let wendy = Some("org.ubuntu.Wendy");
    caller
        .call_method(wendy, ROOT, wendy, "PrepareDevice", &(device, options))
        .await
}

/// What reached the engine.
async fn calls(system: &System) -> Vec<String> {
    let control = ControlProxy::new(&system.connect(0).await).await.unwrap();
    control.calls().await.unwrap()
}

fn text_of(reply: zbus::Result<zbus::Message>) -> String {
    match reply {
        Err(zbus::Error::MethodError(_, text, _)) => text.unwrap_or_default(),
        other => panic!("no error of ours: {other:?}"),
    }
}

#[tokio::test]
async fn an_object_path_is_no_way_into_the_file_system() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let nobody = system.connect(NOBODY).await;
        let name = || Options::from([("name", "A name".into())]);
        let mut texts = Vec::new();
        for path in [
            "/etc/shadow",
            "/etc/shadow_that_does_not_exist",
            "/proc/self/fd/0",
            "/dev/sda",
            "/",
            "/org/ubuntu/Wendy/devices",
            "/org/ubuntu/Wendy/devices/07",
            "/org/ubuntu/Wendy/devices/7/etc",
            "/org/ubuntu/Wendy/devices/18446744073709551616",
            "/org/ubuntu/Wendy/devices/7_p4294967296",
        ] {
            let reply = prepare(&nobody, path, name()).await;
            texts.push(text_of(prepare(&nobody, path, name()).await));
            assert_eq!(error_name(reply), NOT_FOUND, "{path}");
        }
        // One text for all: nothing tells what exists, and nothing of the path is echoed.
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:?}");
    }
}

#[tokio::test]
async fn a_device_node_or_file_name_is_of_the_wrong_type() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let nobody = system.connect(NOBODY).await;
        let wendy = Some("org.ubuntu.Wendy");
        let long = "x".repeat(1 << 20);
        for text in ["/dev/sda", "/etc/shadow", "../../etc", "", long.as_str()] {
            let body = (text, Options::from([("name", "A name".into())]));
            let reply = nobody
                .call_method(wendy, ROOT, wendy, "PrepareDevice", &body)
                .await;
            let Err(error) = reply else {
                panic!("{text} was taken")
            };
            assert!(
                text.is_empty() || !error.to_string().contains(text),
                "{error}"
            );
        }
        assert_eq!(calls(&system).await, [""; 0]);
    }
}

#[tokio::test]
async fn options_are_read_strictly() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let nobody = system.connect(NOBODY).await;
        let stick = object_of("org.ubuntu.Wendy.Device");
        let cases: [Options<'_>; 6] = [
            Options::new(),
            Options::from([("name", 5_u32.into())]),
            Options::from([("name", "A name".into()), ("force", true.into())]),
            Options::from([("name", "A name".into()), ("size", (-1_i64).into())]),
            Options::from([("name", "A name".into()), ("Name", "B".into())]),
            Options::from([("name", "A name".into()), ("token", vec![1_u8].into())]),
        ];
        for options in cases {
            let shown = format!("{options:?}");
            let reply = prepare(&nobody, &stick, options).await;
            assert_eq!(error_name(reply), INVALID, "{shown}");
        }
        let reply = prepare(&nobody, &stick, Options::from([("force", true.into())])).await;
        assert!(text_of(reply).contains("force"));
        assert_eq!(calls(&system).await, [""; 0]);
    }
}

#[tokio::test]
async fn encryption_is_refused_by_name_and_only_to_those_who_may() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let stick = object_of("org.ubuntu.Wendy.Device");
    let options = Options::from([("name", "A name".into()), ("encrypt", true.into())]);
    let reply = prepare(&root, &stick, options).await;
    assert_eq!(error_name(reply), "org.ubuntu.Wendy.Error.NotSupported");
}

/// File descriptors that would block, lie or cannot be read.
fn nasty_descriptors() -> Vec<OwnedFd> {
    let special = |path: &str, flags| open(path, flags, Mode::empty()).unwrap();
    let (reader, writer) = pipe().unwrap();
    let sparse = tempfile::tempfile_in("/dev/shm").unwrap();
    sparse.set_len(i64::MAX as u64).unwrap();
    let unsealed = memfd_create("unsealed", MemfdFlags::ALLOW_SEALING).unwrap();
    vec![
        special("/etc/passwd", OFlags::PATH),
        special("/", OFlags::RDONLY | OFlags::DIRECTORY),
        special("/dev/null", OFlags::WRONLY),
        special("/dev/zero", OFlags::RDONLY),
        std::os::unix::net::UnixStream::pair().unwrap().0.into(),
        reader,
        writer,
        sparse.into(),
        unsealed,
        File::open("/proc/self/mem").unwrap().into(),
    ]
}

#[tokio::test]
async fn no_descriptor_holds_the_daemon_up_or_stays_with_it() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let nobody = system.connect(NOBODY).await;
        let store = object_of("org.ubuntu.Wendy.Store");
        let interface = Some("org.ubuntu.Wendy.Store");
        let descriptors = nasty_descriptors();
        let open_before = system.daemon_descriptors();
        for descriptor in descriptors.iter().cycle().take(100) {
            let body = (zbus::Fd::from(descriptor.as_fd()), Options::new());
            let wendy = Some("org.ubuntu.Wendy");
            let reply = nobody
                .call_method(wendy, store.as_str(), interface, "Unlock", &body)
                .await;
            let expected = policy.answer("org.ubuntu.Wendy.Error.NotSupported");
            assert_eq!(error_name(reply), expected);
        }
        ping(&nobody).await;
        system.closes_all_but(open_before + 8).await;
    }
}

async fn ping(caller: &Connection) {
    let daemon = PeerProxy::new(caller, "org.ubuntu.Wendy", "/").await;
    let answer = timeout(Duration::from_secs(2), daemon.unwrap().ping()).await;
    answer.expect("the daemon answers").unwrap();
}

#[tokio::test]
async fn a_number_in_place_of_a_descriptor_leads_nowhere() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let nobody = system.connect(NOBODY).await;
        let store = object_of("org.ubuntu.Wendy.Store");
        for index in [0, 1, 7, 1024, u32::MAX] {
            // The number of a descriptor that does not come along.
            let call = zbus::Message::method_call(store.as_str(), "Unlock")
                .destination("org.ubuntu.Wendy")
                .interface("org.ubuntu.Wendy.Store")
                .build(&(index, Options::new()));
            let mut bytes = call.unwrap().data().bytes().to_vec();
            let signature = find(&bytes, b"ua{sv}").unwrap();
            bytes[signature] = b'h';
            let mut raw = RawConnection::new(&system.address());
            assert!(raw.is_refused(&bytes), "{index} was taken");
        }
        for wrong in [Variant::from("0"), Variant::from(-1), Variant::from(0_u64)] {
            let body = (wrong, Options::new());
            let to = (Some("org.ubuntu.Wendy"), Some("org.ubuntu.Wendy.Store"));
            let reply = nobody
                .call_method(to.0, store.as_str(), to.1, "Unlock", &body)
                .await;
            assert_ne!(error_name(reply), "");
        }
        ping(&nobody).await;
        assert_eq!(calls(&system).await, [""; 0]);
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

#[tokio::test]
async fn odd_numbers_and_names_arrive_as_they_are() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let nobody = system.connect(NOBODY).await;
        let wendy = WendyProxy::new(&nobody).await.unwrap();
        let stick = ObjectPath::try_from(object_of("org.ubuntu.Wendy.Device")).unwrap();
        for name in NAMES {
            for size in [0, 7, u64::MAX] {
                let options = PrepareOptions {
                    name: Some(name.to_owned()),
                    size: Some(size),
                    ..PrepareOptions::default()
                };
                wendy.plan_prepare(&stick, &options).await.unwrap();
            }
        }
        let planned: Vec<_> = calls(&system).await;
        assert_eq!(planned.len(), 3 * NAMES.len());
        for (name, call) in NAMES.iter().zip(planned.iter().step_by(3)) {
            assert!(call.contains(&format!("{name:?}")), "{call}");
        }
        refuse_or_take_a_long_name(&wendy, &stick, policy).await;
    }
}

/// Names that are more than a name in a terminal, a shell, a path, a format or a markup.
const NAMES: [&str; 8] = [
    "%n%s",
    "a\nb",
    "\u{1b}[31m",
    "\u{202e}",
    "</tt>",
    "../x",
    "$(id);",
    "-rf",
];

async fn refuse_or_take_a_long_name(
    wendy: &WendyProxy<'_>,
    stick: &ObjectPath<'_>,
    policy: Policy,
) {
    let options = PrepareOptions {
        name: Some("x".repeat(65536)),
        ..PrepareOptions::default()
    };
    let reply: Result<_, Error> = wendy.prepare_device(stick, &options).await;
    assert_eq!(reply.is_err(), policy.refusal.is_some(), "{reply:?}");
}
