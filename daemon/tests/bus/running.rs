//! What the bus says of the running system while that changes.

use std::collections::HashMap;

use futures_util::StreamExt;
use tokio::time::timeout;
use wendy_dbus::{
    options::SaveOptions,
    paths::{ROOT, SessionPath, StorePath},
    proxies::WendyProxy,
};
use zbus::{
    Connection, OwnedVariant,
    fdo::{PropertiesChangedStream, PropertiesProxy},
};

use crate::{
    double::{ControlProxy, SESSION, STORE},
    policy::ALLOW,
    system::{PATIENCE, System},
};

/// The root object, seen without a memory of one's own.
struct Root {
    properties: PropertiesProxy<'static>,
    changes: PropertiesChangedStream,
    control: ControlProxy<'static>,
}

impl Root {
    async fn of(connection: &Connection) -> Root {
        let properties = PropertiesProxy::new(connection, "org.ubuntu.Wendy", ROOT);
        let properties = properties.await.unwrap();
        Root {
            changes: properties.receive_properties_changed().await.unwrap(),
            control: ControlProxy::new(connection).await.unwrap(),
            properties,
        }
    }

    async fn get(&self, name: &str) -> String {
        let interface = "org.ubuntu.Wendy".try_into().unwrap();
        text(&self.properties.get(interface, name).await.unwrap())
    }

    /// What the next signal says.
    async fn told(&mut self) -> HashMap<String, String> {
        let signal = timeout(PATIENCE, self.changes.next()).await;
        let signal = signal.expect("a change is told").unwrap();
        let changed = signal.args().unwrap().changed_properties().clone();
        let owned = changed.into_iter().map(|(name, value)| {
            let value = OwnedVariant::try_from(value).unwrap();
            (name.to_owned(), text(&value))
        });
        owned.collect()
    }
}

/// Texts and object paths.
fn text(value: &OwnedVariant) -> String {
    let text = value.downcast_ref::<&str>().map(str::to_owned);
    text.unwrap_or_else(|_| {
        let path = value.downcast_ref::<zbus::ObjectPath<'_>>().unwrap();
        path.to_string()
    })
}

#[tokio::test]
async fn what_makes_no_event_is_found_out_when_asked_and_told_to_the_others() {
    let system = System::start(ALLOW).await;
    let mut root = Root::of(&system.connect(0).await).await;
    assert_eq!(root.get("State").await, "volatile");
    root.control.fail().await.unwrap();
    assert_eq!(root.get("State").await, "read-only");
    assert_eq!(root.get("StateReason").await, "read-only-filesystem");
    let told = root.told().await;
    assert_eq!(told["State"], "read-only");
    assert_eq!(told["StateReason"], "read-only-filesystem");
    assert_eq!(told["StateMessage"], "no more writes");
    assert_eq!(told.len(), 3, "{told:?}");
}

#[tokio::test]
async fn the_system_is_looked_at_again_when_a_device_goes() {
    let system = System::start(ALLOW).await;
    let mut root = Root::of(&system.connect(0).await).await;
    root.control.fail().await.unwrap();
    root.control.unplug().await.unwrap();
    assert_eq!(root.told().await["State"], "read-only");
}

#[tokio::test]
async fn the_system_is_looked_at_again_when_a_job_runs() {
    let system = System::start(ALLOW).await;
    let connection = system.connect(0).await;
    let mut root = Root::of(&connection).await;
    root.control.fail().await.unwrap();
    let store = StorePath(STORE.0).to_path();
    let wendy = WendyProxy::new(&connection).await.unwrap();
    let options = SaveOptions::default();
    wendy
        .save_session(&store, "A name", &options)
        .await
        .unwrap();
    assert_eq!(root.told().await["State"], "read-only");
}

#[tokio::test]
async fn a_running_session_whose_store_is_unplugged_keeps_its_name() {
    let system = System::start(ALLOW).await;
    let mut root = Root::of(&system.connect(0).await).await;
    assert_eq!(root.get("RunningSession").await, "/");
    root.control.run_from_session().await.unwrap();
    let (told, path) = (root.told().await, SessionPath(SESSION.0).to_path());
    assert_eq!(told["RunningSession"], path.as_str());
    let name = told["RunningSessionName"].clone();
    assert!(!name.is_empty());
    root.control.unplug().await.unwrap();
    let told = root.told().await;
    assert_eq!((told["RunningSession"].as_str(), told.len()), ("/", 1));
    assert_eq!(root.get("RunningSession").await, "/");
    assert_eq!(root.get("RunningSessionName").await, name);
}
