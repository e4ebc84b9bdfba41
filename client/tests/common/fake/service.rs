//! The service on the bus: reads calls, writes them down, answers.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use serde::Serialize;
use tokio::sync::Notify;
use wendy_dbus::options::{CheckOptions, PrepareOptions, SaveOptions};
use wendy_dbus::{BUS_NAME, error};
use zbus::message::{Header, Message, Type as MessageType};
use zbus::{Connection, MessageStream, OwnedObjectPath};

use super::World;
use super::jobs::{JOB, cancel, go_on, run_job};

const TOKEN: &str = "the daemon's token";

pub async fn serve(address: String, world: Arc<Mutex<World>>, changed: Arc<Notify>) -> Connection {
    let builder = zbus::connection::Builder::address(address.as_str());
    let connection = builder.build().await.unwrap();
    let mut messages = MessageStream::from(&connection);
    connection.request_name(BUS_NAME).await.unwrap();
    let service = connection.clone();
    tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            if message.message_type() == MessageType::MethodCall {
                answer(&service, &message, &world).await;
                changed.notify_waiters();
            }
        }
    });
    connection
}

async fn answer(connection: &Connection, call: &Message, world: &Mutex<World>) {
    let header = call.header();
    let (path, member) = (
        header.path().unwrap().to_string(),
        header.member().unwrap().to_string(),
    );
    let reply = match member.as_str() {
        "GetManagedObjects" => {
            let mut world = world.lock().unwrap();
            world.reads.push(member.clone());
            reply(&header, &world.objects())
        }
        "GetAll" => {
            world.lock().unwrap().reads.push(format!("{member} {path}"));
            let interface: String = call.body().deserialize().unwrap();
            let properties = world.lock().unwrap().properties(&path, &interface);
            properties.map_or_else(
                || refuse(&header, "org.freedesktop.DBus.Error.UnknownObject", "gone"),
                |properties| reply(&header, &properties),
            )
        }
        _ => return act(connection, call, &path, &member, world).await,
    };
    connection.send(&reply).await.unwrap();
    if member == "GetAll" && path == JOB {
        go_on(connection, world).await;
    }
}

/// Answers everything that is not reading.
async fn act(
    connection: &Connection,
    call: &Message,
    path: &str,
    member: &str,
    world: &Mutex<World>,
) {
    let header = call.header();
    let refusal = note(call, path, member, &mut world.lock().unwrap());
    if let Some((name, message)) = refusal {
        let refused = refuse(&header, &format!("{}{name}", error::PREFIX), message);
        return connection.send(&refused).await.unwrap();
    }
    let starts = match member {
        "PrepareDevice" => "prepare-device",
        "SaveSession" => "save-session",
        "Delete" => "delete-session",
        "Check" => "check-store",
        _ => {
            let reply = plain_reply(&header, member, &world.lock().unwrap());
            connection.send(&reply).await.unwrap();
            return if member == "Cancel" {
                cancel(connection, world).await
            };
        }
    };
    run_job(connection, &header, starts, world).await;
}

/// Writes the call down; the refusal, if it is to be refused.
fn note(
    call: &Message,
    path: &str,
    member: &str,
    world: &mut World,
) -> Option<(&'static str, &'static str)> {
    let sender = call.header().sender().unwrap().to_string();
    let body = call.body();
    let details = match member {
        "PlanPrepare" => {
            world.planned_by = Some(sender.clone());
            let (_, options): (OwnedObjectPath, PrepareOptions) = body.deserialize().unwrap();
            format!(
                "{:?} {:?} {:?}",
                options.mode.unwrap(),
                options.name.unwrap(),
                options.size
            )
        }
        "PrepareDevice" => {
            let (device, options): (OwnedObjectPath, PrepareOptions) = body.deserialize().unwrap();
            let consents = options.token.as_deref() == Some(TOKEN);
            let own = world.planned_by.as_deref() == Some(sender.as_str());
            if world.prepare_plan.destroys && !(consents && own) {
                return Some(("StaleToken", "the token is not good for this"));
            }
            format!("{device} {:?}", options.name.unwrap())
        }
        "PlanSave" | "SaveSession" => {
            let (store, name, options): (OwnedObjectPath, String, SaveOptions) =
                body.deserialize().unwrap();
            let session = options.session.map(|session| session.to_string());
            format!(
                "{store} {name:?} {session:?} {:?} {:?}",
                options.default, options.exclude
            )
        }
        "Rename" => body.deserialize::<String>().unwrap(),
        "SetDefault" => body.deserialize::<OwnedObjectPath>().unwrap().to_string(),
        "Check" => {
            let options: CheckOptions = body.deserialize().unwrap();
            format!("{:?}", options.session.map(|session| session.to_string()))
        }
        _ => String::new(),
    };
    world
        .calls
        .push(format!("{member} {path} {details}").trim_end().to_owned());
    world.refusal
}

fn plain_reply(header: &Header<'_>, member: &str, world: &World) -> Message {
    match member {
        "PlanPrepare" => {
            let token = if world.prepare_plan.destroys {
                TOKEN
            } else {
                ""
            };
            reply(header, &(&world.prepare_plan, token))
        }
        "PlanSave" => reply(header, &world.save_plan),
        _ => reply(header, &()),
    }
}

pub fn reply<B: Serialize + zbus::wire::DynamicType>(header: &Header<'_>, body: &B) -> Message {
    Message::method_return(header).build(body).unwrap()
}

fn refuse(header: &Header<'_>, name: &str, message: &str) -> Message {
    Message::error(header, name).build(&message).unwrap()
}
