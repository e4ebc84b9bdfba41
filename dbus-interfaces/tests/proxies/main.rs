//! Proxies and XML agree: a peer that knows nothing but the XML answers every call of the proxies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod peer;

use std::collections::BTreeSet;

use futures_util::StreamExt;
use wendy_dbus::facts::Facts;
use wendy_dbus::options::{
    CheckOptions, NoOptions, PrepareOptions, SaveOptions, SnapshotOptions, SwitchOptions,
};
use wendy_dbus::paths;
use wendy_dbus::proxies::{DeviceProxy, Finished, JobProxy, SessionProxy, StoreProxy, WendyProxy};
use zbus::proxy::CacheProperties;
use zbus::{Connection, MessageStream, ObjectPath};

use common::contract;
use peer::{Seen, connect_to_peer, pair, prepare_plan, save_plan};

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
    wendy.state_message().await.unwrap();
    wendy.running_session().await.unwrap();
    wendy.running_session_name().await.unwrap();
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
    device.examined().await.unwrap();
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
    session.saved_from_this_start().await.unwrap();
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

fn signature_of<T: zbus::wire::DynamicType>(body: &T) -> String {
    body.signature().to_string_no_parens()
}
