//! Arguments from somebody who means harm.

use std::{
    collections::HashMap,
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags, open},
    pipe::pipe,
};
use wendy_dbus::{Error, options::PrepareOptions, paths::ROOT, proxies::WendyProxy};
use zbus::{Connection, ObjectPath, Variant, fdo::PeerProxy};

use crate::{
    authorization::{error_name, object_of},
    double::ControlProxy,
    system::{ALLOW, System},
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

fn text_of(reply: zbus::Result<zbus::Message>) -> String {
    match reply {
        Err(zbus::Error::MethodError(_, text, _)) => text.unwrap_or_default(),
        other => panic!("no error of ours: {other:?}"),
    }
}

#[tokio::test]
async fn an_object_path_is_no_way_into_the_file_system() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
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
        let reply = prepare(&root, path, name()).await;
        texts.push(text_of(prepare(&root, path, name()).await));
        assert_eq!(error_name(reply), NOT_FOUND, "{path}");
    }
    // One text for all: nothing tells what exists, and nothing of the path is echoed.
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn a_device_node_or_file_name_is_of_the_wrong_type() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let wendy = Some("org.ubuntu.Wendy");
    let long = "x".repeat(1 << 20);
    for text in ["/dev/sda", "/etc/shadow", "../../etc", "", long.as_str()] {
        let body = (text, Options::from([("name", "A name".into())]));
        let reply = root
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
    assert_eq!(
        ControlProxy::new(&root)
            .await
            .unwrap()
            .calls()
            .await
            .unwrap(),
        [""; 0]
    );
}

#[tokio::test]
async fn options_are_read_strictly() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
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
        let reply = prepare(&root, &stick, options).await;
        assert_eq!(error_name(reply), INVALID, "{shown}");
    }
    let reply = prepare(&root, &stick, Options::from([("force", true.into())])).await;
    assert!(text_of(reply).contains("force"));
    assert_eq!(
        ControlProxy::new(&root)
            .await
            .unwrap()
            .calls()
            .await
            .unwrap(),
        [""; 0]
    );
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
    let sparse = tempfile::tempfile().unwrap();
    sparse.set_len(1 << 40).unwrap();
    vec![
        special("/etc/passwd", OFlags::PATH),
        special("/", OFlags::RDONLY | OFlags::DIRECTORY),
        special("/dev/null", OFlags::WRONLY),
        special("/dev/zero", OFlags::RDONLY),
        std::os::unix::net::UnixStream::pair().unwrap().0.into(),
        reader,
        writer,
        sparse.into(),
        File::open("/proc/self/mem").unwrap().into(),
    ]
}

#[tokio::test]
async fn no_descriptor_holds_the_daemon_up_or_stays_with_it() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let store = object_of("org.ubuntu.Wendy.Store");
    let interface = Some("org.ubuntu.Wendy.Store");
    let descriptors = nasty_descriptors();
    let open_before = system.daemon_descriptors();
    for _ in 0..20 {
        for descriptor in &descriptors {
            let body = (zbus::Fd::from(descriptor.as_fd()), Options::new());
            let wendy = Some("org.ubuntu.Wendy");
            let reply = root
                .call_method(wendy, store.as_str(), interface, "Unlock", &body)
                .await;
            assert_eq!(error_name(reply), "org.ubuntu.Wendy.Error.NotSupported");
        }
    }
    PeerProxy::new(&root, "org.ubuntu.Wendy", "/")
        .await
        .unwrap()
        .ping()
        .await
        .unwrap();
    let open_after = system.daemon_descriptors();
    assert!(
        open_after <= open_before + 8,
        "{open_before} before, {open_after} after"
    );
}

#[tokio::test]
async fn odd_numbers_and_names_arrive_as_they_are() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    let wendy = WendyProxy::new(&root).await.unwrap();
    let stick = ObjectPath::try_from(object_of("org.ubuntu.Wendy.Device")).unwrap();
    let names = [
        "%n%s",
        "a\nb",
        "\u{1b}[31m",
        "\u{202e}",
        "</tt>",
        "../x",
        "$(id);",
        "-rf",
    ];
    for name in names {
        for size in [0, 7, u64::MAX] {
            let options = PrepareOptions {
                name: Some(name.to_owned()),
                size: Some(size),
                ..PrepareOptions::default()
            };
            wendy.plan_prepare(&stick, &options).await.unwrap();
        }
    }
    let calls = ControlProxy::new(&root)
        .await
        .unwrap()
        .calls()
        .await
        .unwrap();
    assert_eq!(calls.len(), 3 * names.len());
    let long = "x".repeat(65536);
    let options = PrepareOptions {
        name: Some(long),
        ..PrepareOptions::default()
    };
    let reply: Result<_, Error> = wendy.prepare_device(&stick, &options).await;
    reply.unwrap();
}
