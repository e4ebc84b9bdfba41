//! Proxies and XML agree: a peer that knows nothing but the XML answers every call of the proxies.
//!
//! The peer checks the arguments of each call against the XML and answers with values of the types
//! that the XML promises. A member the proxies lack, or have with another type, fails here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use wendy_dbus::facts::Facts;
use wendy_dbus::options::{
    CheckOptions, NoOptions, PrepareOptions, SaveOptions, SnapshotOptions, SwitchOptions,
};
use wendy_dbus::paths;
use wendy_dbus::plans::{Piece, PreparePlan, SavePlan};
use wendy_dbus::proxies::{DeviceProxy, Finished, JobProxy, SessionProxy, StoreProxy, WendyProxy};
use zbus::message::{Flags, Message, Type as MessageType};
use zbus::proxy::CacheProperties;
use zbus::{Connection, MessageStream, ObjectPath, Signature};
use zbus_xml::{ArgDirection, Method};

use common::{contract, value_of};

/// `interface.member` of everything that was called.
type Seen = Arc<Mutex<BTreeSet<String>>>;

#[tokio::test]
async fn proxies_have_every_member_as_the_contract_has_it() {
    let seen = Seen::default();
    let connection = connect_to_peer(seen.clone()).await;
    call_manager(&connection).await;
    call_device(&connection).await;
    call_store(&connection).await;
    call_session(&connection).await;
    call_job(&connection).await;
    assert_eq!(*seen.lock().unwrap(), members_of_the_contract());
}

#[tokio::test]
async fn the_signal_of_a_finished_job_is_understood() {
    let (near, far) = pair().await;
    let mut messages = MessageStream::from(&near);
    let facts = Facts {
        generation: Some(2),
        ..Facts::default()
    };
    let body = ("done", "", "", &facts);
    assert_eq!(
        signature_of(&body),
        signal_signature("org.ubuntu.Wendy.Job", "Finished")
    );
    let path = paths::JobPath(1).to_path();
    far.emit_signal(
        None::<&str>,
        path,
        "org.ubuntu.Wendy.Job",
        "Finished",
        &body,
    )
    .await
    .unwrap();
    let message = messages.next().await.unwrap().unwrap();
    let signal = Finished::from_message(message).expect("a Finished signal");
    let args = signal.args().unwrap();
    assert_eq!((args.result, args.error), ("done", ""));
    assert_eq!(args.facts, facts);
}

async fn call_manager(connection: &Connection) {
    let proxy = WendyProxy::builder(connection).cache_properties(CacheProperties::No);
    let wendy = proxy.build().await.unwrap();
    let device = ObjectPath::from_static_str("/org/ubuntu/Wendy/devices/1").unwrap();
    let (plan, token) = wendy
        .plan_prepare(&device, &PrepareOptions::default())
        .await
        .unwrap();
    assert_eq!((plan, token.as_str()), (prepare_plan(), "token"));
    wendy
        .prepare_device(&device, &PrepareOptions::default())
        .await
        .unwrap();
    let plan = wendy
        .plan_save(&device, "x", &SaveOptions::default())
        .await
        .unwrap();
    assert_eq!(plan, save_plan());
    wendy
        .save_session(&device, "x", &SaveOptions::default())
        .await
        .unwrap();
    wendy
        .switch_upper_layer(&device, &SwitchOptions::default())
        .await
        .unwrap();
    wendy
        .snapshot("x", &SnapshotOptions::default())
        .await
        .unwrap();
    wendy.version().await.unwrap();
    wendy.capabilities().await.unwrap();
    wendy.live_stack().await.unwrap();
    wendy.upper_kind().await.unwrap();
    wendy.state().await.unwrap();
    wendy.state_reason().await.unwrap();
    wendy.running_session().await.unwrap();
    wendy.base_image().await.unwrap();
    wendy.upper_used().await.unwrap();
    wendy.upper_size().await.unwrap();
}

async fn call_device(connection: &Connection) {
    let path = paths::DevicePath {
        disk_seq: 1,
        partition: None,
    }
    .to_path();
    let proxy = DeviceProxy::builder(connection)
        .path(path)
        .cache_properties(CacheProperties::No);
    let device = proxy.build().await.unwrap();
    device.device_node().await.unwrap();
    device.disk_seq().await.unwrap();
    device.vendor().await.unwrap();
    device.model().await.unwrap();
    device.serial().await.unwrap();
    device.bus().await.unwrap();
    device.size().await.unwrap();
    device.removable().await.unwrap();
    device.read_only().await.unwrap();
    device.system().await.unwrap();
    device.boot_medium().await.unwrap();
    device.in_use().await.unwrap();
    device.in_use_by().await.unwrap();
    device.filesystem_type().await.unwrap();
    device.label().await.unwrap();
    device.uuid().await.unwrap();
    device.store().await.unwrap();
    device.parent().await.unwrap();
}

async fn call_store(connection: &Connection) {
    let path = paths::StorePath(1).to_path();
    let proxy = StoreProxy::builder(connection)
        .path(path)
        .cache_properties(CacheProperties::No);
    let store = proxy.build().await.unwrap();
    store
        .set_default(&paths::SessionPath(1).to_path())
        .await
        .unwrap();
    store.rename("x").await.unwrap();
    let nothing = std::fs::File::open("/dev/null").unwrap();
    store
        .unlock((&nothing).into(), &NoOptions::default())
        .await
        .unwrap();
    store.lock().await.unwrap();
    store.check(&CheckOptions::default()).await.unwrap();
    store.resize(1, &NoOptions::default()).await.unwrap();
    store.name().await.unwrap();
    store.device().await.unwrap();
    store.kind().await.unwrap();
    store.locked().await.unwrap();
    store.foreign().await.unwrap();
    store.filesystem().await.unwrap();
    store.size().await.unwrap();
    store.free().await.unwrap();
    store.writable().await.unwrap();
    store.problem().await.unwrap();
    store.default_session().await.unwrap();
    store.sessions().await.unwrap();
}

async fn call_session(connection: &Connection) {
    let path = paths::SessionPath(1).to_path();
    let proxy = SessionProxy::builder(connection)
        .path(path)
        .cache_properties(CacheProperties::No);
    let session = proxy.build().await.unwrap();
    session.rename("x").await.unwrap();
    session.delete(&NoOptions::default()).await.unwrap();
    session.name().await.unwrap();
    session.stack().await.unwrap();
    session.upper_kind().await.unwrap();
    session.base_image().await.unwrap();
    session.compatible().await.unwrap();
    session.created().await.unwrap();
    session.saved().await.unwrap();
    session.generation().await.unwrap();
    session.size().await.unwrap();
    session.files().await.unwrap();
    session.state().await.unwrap();
    session.kernel().await.unwrap();
    session.kernel_parameters().await.unwrap();
    session.store().await.unwrap();
}

async fn call_job(connection: &Connection) {
    let path = paths::JobPath(1).to_path();
    let proxy = JobProxy::builder(connection)
        .path(path)
        .cache_properties(CacheProperties::No);
    let job = proxy.build().await.unwrap();
    job.cancel(&NoOptions::default()).await.unwrap();
    job.operation().await.unwrap();
    job.state().await.unwrap();
    job.phase().await.unwrap();
    job.progress().await.unwrap();
    job.bytes_done().await.unwrap();
    job.bytes_total().await.unwrap();
    job.entries_done().await.unwrap();
    job.entries_total().await.unwrap();
    job.rate().await.unwrap();
    job.started().await.unwrap();
    job.expected_end().await.unwrap();
    job.objects().await.unwrap();
    job.started_by_uid().await.unwrap();
    job.cancelable().await.unwrap();
    job.point_of_no_return().await.unwrap();
    job.blockers().await.unwrap();
    job.error().await.unwrap();
    job.message().await.unwrap();
    job.facts().await.unwrap();
}

fn prepare_plan() -> PreparePlan {
    let lost = Piece {
        kind: "store".into(),
        size: 7,
        name: Some("Old".into()),
        ..Piece::default()
    };
    PreparePlan {
        device: paths::DevicePath {
            disk_seq: 1,
            partition: None,
        }
        .to_path(),
        mode: "device".into(),
        name: "New".into(),
        filesystem: "ext4".into(),
        size: 5,
        destroys: true,
        lost: vec![lost],
        changed: vec![],
        made: vec![],
        warnings: vec!["small".into()],
    }
}

fn save_plan() -> SavePlan {
    SavePlan {
        session: paths::none(),
        name: "x".into(),
        default: true,
        exclude: vec!["/tmp/**".into()],
        entries: 1,
        bytes: 2,
        changed_entries: 3,
        changed_bytes: 4,
        removed_entries: 5,
        space: 6,
        free: 7,
        fits: true,
        seconds: None,
    }
}

async fn connect_to_peer(seen: Seen) -> Connection {
    let (near, far) = pair().await;
    tokio::spawn(async move {
        let mut messages = MessageStream::from(&far);
        while let Some(Ok(message)) = messages.next().await {
            if message.message_type() == MessageType::MethodCall {
                answer(&far, &message, &seen).await;
            }
        }
    });
    near
}

async fn pair() -> (Connection, Connection) {
    let (near, far) = UnixStream::pair().unwrap();
    let near = zbus::connection::Builder::unix_stream(near).p2p().build();
    let far = zbus::connection::Builder::unix_stream(far)
        .server(zbus::Guid::generate())
        .p2p();
    tokio::try_join!(near, far.build()).unwrap()
}

async fn answer(peer: &Connection, call: &Message, seen: &Seen) {
    let header = call.header();
    let (interface, member) = (header.interface().unwrap(), header.member().unwrap());
    let (name, reply) = if interface.as_str() == "org.freedesktop.DBus.Properties" {
        let (interface, property): (String, String) = call.body().deserialize().unwrap();
        (
            format!("{interface}.{property}"),
            property_reply(call, &interface, &property),
        )
    } else {
        let reply = method_reply(call, interface.as_str(), member.as_str());
        (format!("{interface}.{member}"), reply)
    };
    seen.lock().unwrap().insert(name);
    peer.send(&reply).await.unwrap();
}

fn property_reply(call: &Message, interface: &str, name: &str) -> Message {
    let interface = contract(interface);
    let property = interface
        .properties()
        .find(|p| p.name().as_str() == name)
        .unwrap();
    Message::method_return(&call.header())
        .build(&value_of(property.ty()))
        .unwrap()
}

fn method_reply(call: &Message, interface: &str, name: &str) -> Message {
    let interface = contract(interface);
    let method = interface
        .methods()
        .find(|m| m.name().as_str() == name)
        .unwrap();
    assert_eq!(
        body_signature(call),
        arguments(method, ArgDirection::In),
        "{name}"
    );
    let interactive = call
        .primary_header()
        .flags()
        .contains(Flags::ALLOW_INTERACTIVE_AUTH);
    assert_eq!(interactive, name != "PlanPrepare", "{name} and prompts");
    let reply = Message::method_return(&call.header());
    let reply = match name {
        "PlanPrepare" => reply.build(&(prepare_plan(), "token")),
        "PlanSave" => reply.build(&save_plan()),
        _ => match outputs(method).as_slice() {
            [] => reply.build(&()),
            [one] if *one == Signature::ObjectPath => reply.build(&paths::JobPath(1).to_path()),
            more => panic!("teach this test about {more:?}"),
        },
    }
    .unwrap();
    assert_eq!(
        body_signature(&reply),
        arguments(method, ArgDirection::Out),
        "{name}"
    );
    reply
}

fn members_of_the_contract() -> BTreeSet<String> {
    let mut members = BTreeSet::new();
    for (name, _) in wendy_dbus::INTERFACES {
        let interface = contract(name);
        members.extend(interface.methods().map(|m| format!("{name}.{}", m.name())));
        members.extend(
            interface
                .properties()
                .map(|p| format!("{name}.{}", p.name())),
        );
    }
    members
}

fn outputs(method: &Method<'_>) -> Vec<Signature> {
    let out = method
        .args()
        .iter()
        .filter(|arg| arg.direction() == Some(ArgDirection::Out));
    out.map(|arg| arg.ty().clone()).collect()
}

fn arguments(method: &Method<'_>, direction: ArgDirection) -> String {
    let args = method
        .args()
        .iter()
        .filter(|arg| arg.direction() == Some(direction));
    args.map(|arg| arg.ty().to_string()).collect()
}

fn signal_signature(interface: &str, name: &str) -> String {
    let interface = contract(interface);
    let signal = interface
        .signals()
        .find(|s| s.name().as_str() == name)
        .unwrap();
    signal
        .args()
        .iter()
        .map(|arg| arg.ty().to_string())
        .collect()
}

fn body_signature(message: &Message) -> String {
    message.body().signature().to_string_no_parens()
}

fn signature_of<T: zbus::wire::DynamicType>(body: &T) -> String {
    body.signature().to_string_no_parens()
}
