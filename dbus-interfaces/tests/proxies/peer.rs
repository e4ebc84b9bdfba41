//! A peer that checks the arguments of each call against the XML and answers with values of the
//! types that the XML promises. A member the proxies lack, or have with another type, fails here.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use wendy_dbus::paths;
use wendy_dbus::plans::{Piece, PreparePlan, SavePlan};
use zbus::message::{Flags, Message, Type as MessageType};
use zbus::{Connection, MessageStream, Signature};
use zbus_xml::{ArgDirection, Method};

use crate::common::{contract, value_of};

/// `interface.member` of everything that was called.
pub type Seen = Arc<Mutex<BTreeSet<String>>>;

pub async fn connect_to_peer(seen: Seen) -> Connection {
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

pub async fn pair() -> (Connection, Connection) {
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

pub fn prepare_plan() -> PreparePlan {
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

pub fn save_plan() -> SavePlan {
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
        fits_overwriting: None,
        seconds: None,
    }
}

fn body_signature(message: &Message) -> String {
    message.body().signature().to_string_no_parens()
}
