//! What the daemon serves is what the XML files promise.

use std::collections::BTreeSet;

use wendy_dbus::INTERFACES;
use zbus::fdo::IntrospectableProxy;
use zbus_xml::{Interface, Node};

use crate::{
    authorization::object_of,
    policy::ALLOW,
    system::{System, source},
};

#[tokio::test]
async fn served_interfaces_equal_the_contract() {
    let system = System::start(ALLOW).await;
    let root = system.connect(0).await;
    start_a_job(&root).await;
    for (name, xml) in INTERFACES {
        let promised = Node::from_reader(xml.as_bytes()).unwrap();
        let object = IntrospectableProxy::builder(&root)
            .destination("org.ubuntu.Wendy")
            .path(object_of(name))
            .build()
            .await
            .unwrap();
        let served = object.introspect().await.unwrap();
        let served = Node::from_reader(served.as_bytes()).unwrap();
        let served = served
            .interfaces()
            .iter()
            .find(|interface| interface.name() == name);
        assert_eq!(
            members(served.unwrap()),
            members(&promised.interfaces()[0]),
            "{name}"
        );
    }
}

async fn start_a_job(root: &zbus::Connection) {
    let store = wendy_dbus::paths::StorePath(0xa1).to_path();
    let wendy = wendy_dbus::proxies::WendyProxy::new(root).await.unwrap();
    wendy
        .save_session(&store, "A name", &Default::default())
        .await
        .unwrap();
}

/// One line per member: names, types and what is promised about changes.
fn members(interface: &Interface<'_>) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for method in interface.methods() {
        let args = method.args().iter();
        let args: Vec<_> = args
            .map(|arg| format!("{:?} {:?} {}", arg.direction(), arg.name(), arg.ty()))
            .collect();
        lines.insert(format!("method {} {args:?}", method.name()));
    }
    for signal in interface.signals() {
        let args = signal.args().iter();
        let args: Vec<_> = args
            .map(|arg| format!("{:?} {}", arg.name(), arg.ty()))
            .collect();
        lines.insert(format!("signal {} {args:?}", signal.name()));
    }
    for property in interface.properties() {
        let changes = property
            .annotations()
            .iter()
            .find(|a| a.name() == "org.freedesktop.DBus.Property.EmitsChangedSignal")
            .map_or("true", |a| a.value());
        let (name, ty, access) = (property.name(), property.ty(), property.access());
        lines.insert(format!("property {name} {ty} {access:?} {changes}"));
    }
    lines
}

#[test]
fn the_bus_lets_everybody_call_what_the_contract_names_and_root_alone_serve_it() {
    let conf = std::fs::read_to_string(source("systemd/org.ubuntu.Wendy.conf")).unwrap();
    for (name, _) in INTERFACES {
        let allow =
            format!("<allow send_destination=\"org.ubuntu.Wendy\" send_interface=\"{name}\"/>");
        assert!(conf.contains(&allow), "{name}");
    }
    assert_eq!(conf.matches("<allow own=").count(), 1);
}

#[tokio::test]
async fn nobody_but_root_can_take_the_name() {
    let system = System::without_polkit().await;
    let nobody = system.connect(crate::system::NOBODY).await;
    nobody.request_name("org.ubuntu.Wendy").await.unwrap_err();
    system
        .connect(0)
        .await
        .request_name("org.ubuntu.Wendy")
        .await
        .unwrap();
}

#[tokio::test]
async fn the_name_cannot_be_taken_away() {
    let system = System::start(ALLOW).await;
    let thief = system.connect(0).await;
    let flags =
        zbus::fdo::RequestNameFlags::REPLACE_EXISTING | zbus::fdo::RequestNameFlags::DO_NOT_QUEUE;
    thief
        .request_name_with_flags("org.ubuntu.Wendy", flags)
        .await
        .unwrap_err();
}
