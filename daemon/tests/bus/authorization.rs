//! Nobody gets through without polkit's yes: every method of the contract, under every policy.

use std::{fs::File, os::fd::OwnedFd};

use wendy_dbus::{INTERFACES, paths::ROOT};
use zbus::{Connection, DBusError, OwnedVariant, Variant, wire::StructureBuilder};

use crate::{
    double::{ControlProxy, STICK},
    policy::{ALLOW, ASK, DENY, POLICIES},
    system::{NOBODY, System},
};

/// The object of the double's world that serves an interface.
pub fn object_of(interface: &str) -> String {
    match interface {
        "org.ubuntu.Wendy" => ROOT.to_owned(),
        "org.ubuntu.Wendy.Device" => format!("{ROOT}/devices/7"),
        "org.ubuntu.Wendy.Store" => format!("{ROOT}/stores/{:032x}", 0xa1),
        "org.ubuntu.Wendy.Session" => format!("{ROOT}/sessions/{:032x}", 0xb2),
        "org.ubuntu.Wendy.Job" => format!("{ROOT}/jobs/1"),
        other => panic!("the test knows no object with {other}"),
    }
}

/// A fitting value for an argument of the contract.
fn argument(method: &str, name: &str, signature: &str) -> Variant<'static> {
    let object = |interface| {
        let path = zbus::ObjectPath::try_from(object_of(interface)).unwrap();
        Variant::from(path)
    };
    match (signature, name) {
        ("o", "device") => object("org.ubuntu.Wendy.Device"),
        ("o", "store") => object("org.ubuntu.Wendy.Store"),
        ("o", "session") => object("org.ubuntu.Wendy.Session"),
        ("s", _) => "A name".into(),
        ("t", _) => 1_u64.into(),
        ("h", _) => Variant::from(zbus::Fd::from(OwnedFd::from(
            File::open("/dev/null").unwrap(),
        ))),
        ("a{sv}", _) if method.contains("Prepare") => options(&[("name", "A name".into())]),
        ("a{sv}", _) => options(&[]),
        other => panic!("the test knows no value for {other:?} of {method}"),
    }
}

fn options(entries: &[(&str, Variant<'_>)]) -> Variant<'static> {
    let owned = |(key, value): &(&str, Variant<'_>)| {
        ((*key).to_owned(), OwnedVariant::try_from(value).unwrap())
    };
    let dict: std::collections::HashMap<String, OwnedVariant> = entries.iter().map(owned).collect();
    Variant::from(dict)
}

/// Calls a method of the contract with fitting arguments; the error name, or "" for success.
async fn call(connection: &Connection, interface: &str, method: &zbus_xml::Method<'_>) -> String {
    let mut body = StructureBuilder::new();
    let inputs = method
        .args()
        .iter()
        .filter(|arg| arg.direction() == Some(zbus_xml::ArgDirection::In));
    let mut count = 0;
    for arg in inputs {
        let (name, signature) = (arg.name().unwrap(), arg.ty().to_string());
        body = body.append_field(argument(&method.name(), name, &signature));
        count += 1;
    }
    let (path, member) = (object_of(interface), method.name().to_string());
    let to = (
        Some("org.ubuntu.Wendy"),
        path.as_str(),
        Some(interface),
        member.as_str(),
    );
    let reply = if count == 0 {
        connection.call_method(to.0, to.1, to.2, to.3, &()).await
    } else {
        let body = body.build().unwrap();
        connection.call_method(to.0, to.1, to.2, to.3, &body).await
    };
    error_name(reply)
}

/// The error name of a reply, or "" for success.
pub fn error_name(reply: zbus::Result<zbus::Message>) -> String {
    match reply {
        Ok(_) => String::new(),
        Err(zbus::Error::MethodError(name, _, _)) => name.to_string(),
        Err(zbus::Error::FDO(error)) => error.name().to_string(),
        Err(other) => panic!("no answer: {other}"),
    }
}

/// Every method of the contract, called by nobody; with the error names that came back.
pub async fn call_everything(system: &System) -> Vec<(String, String)> {
    let (root, nobody) = (system.connect(0).await, system.connect(NOBODY).await);
    // A job of root's, so that there is one to cancel.
    let (_, xml) = INTERFACES[0];
    let manager = zbus_xml::Node::from_reader(xml.as_bytes()).unwrap();
    let manager = &manager.interfaces()[0];
    let save = manager
        .methods()
        .find(|method| method.name() == "PrepareDevice")
        .unwrap();
    assert_eq!(call(&root, "org.ubuntu.Wendy", save).await, "");
    let mut answers = Vec::new();
    for (interface, xml) in INTERFACES {
        let node = zbus_xml::Node::from_reader(xml.as_bytes()).unwrap();
        for method in node.interfaces()[0].methods() {
            let answer = call(&nobody, interface, method).await;
            answers.push((format!("{interface}.{}", method.name()), answer));
        }
    }
    answers
}

async fn calls_that_got_through(system: &System) -> Vec<String> {
    let control = ControlProxy::new(&system.connect(0).await).await.unwrap();
    let calls = control.calls().await.unwrap();
    let by_root = format!("prepare {STICK} \"A name\" by 0");
    calls.into_iter().filter(|call| *call != by_root).collect()
}

async fn everything_is_refused(rules: &str, error: &str) {
    let system = System::start(rules).await;
    for (method, answer) in call_everything(&system).await {
        let expected = if method == "org.ubuntu.Wendy.PlanPrepare" {
            ""
        } else {
            error
        };
        assert_eq!(answer, expected, "{method}");
    }
    let through = calls_that_got_through(&system).await;
    assert_eq!(
        through,
        [format!("plan-prepare {STICK} \"A name\" by {NOBODY}")]
    );
}

#[tokio::test]
async fn a_no_of_polkit_refuses_every_method() {
    everything_is_refused(DENY, "org.ubuntu.Wendy.Error.NotAuthorized").await;
}

#[tokio::test]
async fn without_rules_of_its_own_polkit_refuses_who_is_not_at_the_computer() {
    everything_is_refused("", "org.ubuntu.Wendy.Error.NotAuthorized").await;
}

#[tokio::test]
async fn where_a_prompt_is_needed_nothing_happens_without_one() {
    everything_is_refused(ASK, "org.ubuntu.Wendy.Error.NotAuthorizedCanObtain").await;
}

#[tokio::test]
async fn a_yes_of_polkit_lets_everything_through_that_works() {
    let system = System::start(ALLOW).await;
    for (method, answer) in call_everything(&system).await {
        let works = !["SwitchUpperLayer", "Snapshot", "Unlock", "Lock", "Resize"]
            .iter()
            .any(|verb| method.ends_with(verb));
        match method.as_str() {
            // Root is at work on the same stick.
            "org.ubuntu.Wendy.PrepareDevice" => {
                assert_eq!(answer, "org.ubuntu.Wendy.Error.Busy");
            }
            _ if works => assert_eq!(answer, "", "{method}"),
            _ => assert_eq!(answer, "org.ubuntu.Wendy.Error.NotSupported", "{method}"),
        }
    }
}

#[tokio::test]
async fn no_property_can_be_written() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        call_everything(&system).await;
        for uid in [0, NOBODY] {
            write_everything(&system.connect(uid).await).await;
        }
    }
}

/// Sets every property of the contract to what it is.
async fn write_everything(caller: &Connection) {
    for (interface, xml) in INTERFACES {
        let node = zbus_xml::Node::from_reader(xml.as_bytes()).unwrap();
        for property in node.interfaces()[0].properties() {
            let name = property.name().to_string();
            let to = (
                Some("org.ubuntu.Wendy"),
                Some("org.freedesktop.DBus.Properties"),
            );
            let path = object_of(interface);
            let get = (interface, name.as_str());
            let value = caller
                .call_method(to.0, path.as_str(), to.1, "Get", &get)
                .await
                .unwrap();
            let value: OwnedVariant = value.body().deserialize().unwrap();
            let set = (interface, name.as_str(), &*value);
            let reply = caller
                .call_method(to.0, path.as_str(), to.1, "Set", &set)
                .await;
            assert_ne!(error_name(reply), "", "{interface}.{name}");
        }
    }
}

/// A caller may have become another program, or its process id another's, since it connected. The
/// process of this connection has root's rights by now: whoever asked about the process would get a
/// yes.
#[tokio::test]
async fn rights_are_those_of_the_connection_and_not_of_its_process() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let (nobody, root) = (system.connect(NOBODY).await, system.connect(0).await);
        let bus = zbus::fdo::DBusProxy::new(&root).await.unwrap();
        for (caller, uid) in [(&nobody, NOBODY), (&root, 0)] {
            let name = caller.unique_name().unwrap().clone().into();
            let known = bus.get_connection_credentials(name).await.unwrap();
            assert_eq!(known.process_id(), Some(std::process::id()));
            assert_eq!(known.unix_user_id(), Some(uid));
        }
        assert!(rustix::process::geteuid().is_root());
        let store = zbus::ObjectPath::try_from(object_of("org.ubuntu.Wendy.Store")).unwrap();
        let body = (
            store,
            "A name",
            std::collections::HashMap::<&str, Variant<'_>>::new(),
        );
        let wendy = Some("org.ubuntu.Wendy");
        let save = async |caller: &Connection| {
            error_name(
                caller
                    .call_method(wendy, ROOT, wendy, "SaveSession", &body)
                    .await,
            )
        };
        assert_eq!(save(&nobody).await, policy.answer(""));
        // What nobody may have begun is still at work.
        let own = policy.refusal.map_or("org.ubuntu.Wendy.Error.Busy", |_| "");
        assert_eq!(save(&root).await, own);
    }
}

#[tokio::test]
async fn a_user_cancels_their_own_job_and_nobody_elses() {
    let system = System::start(
        "polkit.addRule(function(action, subject) {
            return action.id == 'org.ubuntu.wendy.save-session' ? 'yes' : 'no';
        });",
    )
    .await;
    let (owner, other) = (system.connect(NOBODY).await, system.connect(1).await);
    let save = (
        zbus::ObjectPath::try_from(object_of("org.ubuntu.Wendy.Store")).unwrap(),
        "A name",
        std::collections::HashMap::<&str, Variant<'_>>::new(),
    );
    let wendy = (Some("org.ubuntu.Wendy"), Some("org.ubuntu.Wendy"));
    owner
        .call_method(wendy.0, ROOT, wendy.1, "SaveSession", &save)
        .await
        .unwrap();
    let job = object_of("org.ubuntu.Wendy.Job");
    let interface = Some("org.ubuntu.Wendy.Job");
    let none = std::collections::HashMap::<&str, Variant<'_>>::new();
    let reply = other
        .call_method(wendy.0, job.as_str(), interface, "Cancel", &none)
        .await;
    assert_eq!(error_name(reply), "org.ubuntu.Wendy.Error.NotAuthorized");
    let reply = owner
        .call_method(wendy.0, job.as_str(), interface, "Cancel", &none)
        .await;
    assert_eq!(error_name(reply), "");
    let reply = owner.call_method(
        wendy.0,
        "/org/ubuntu/Wendy/jobs/2",
        interface,
        "Cancel",
        &none,
    );
    assert_ne!(error_name(reply.await), "", "there is no second job");
}
