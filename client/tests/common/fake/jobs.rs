//! The one job of the service, and how it goes.

use std::sync::Mutex;

use wendy_dbus::{Dict, error};
use zbus::message::Header;
use zbus::{Connection, OwnedObjectPath};

use super::World;
use super::service::reply;
use crate::common::samples;

/// Its path.
pub const JOB: &str = "/org/ubuntu/Wendy/jobs/1";

/// How jobs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It is over before its path has reached the caller.
    Instant,
    /// It reports some progress, then ends.
    Steady,
    /// It goes on until it is cancelled.
    UntilCancelled,
    /// It goes on whatever happens.
    Endless,
}

pub async fn run_job(
    connection: &Connection,
    header: &Header<'_>,
    operation: &str,
    world: &Mutex<World>,
) {
    let course = {
        let mut world = world.lock().unwrap();
        world.jobs.insert(JOB.into(), samples::job(operation));
        world.course
    };
    let path = OwnedObjectPath::try_from(JOB).unwrap();
    if course == Course::Instant {
        finish(connection, world, None).await;
    }
    connection.send(&reply(header, &path)).await.unwrap();
}

async fn progress(connection: &Connection, world: &Mutex<World>) {
    world.lock().unwrap().jobs.get_mut(JOB).unwrap().phase = "syncing".into();
    let body = ("org.ubuntu.Wendy.Job", Dict::new(), Vec::<String>::new());
    let properties = "org.freedesktop.DBus.Properties";
    let emit = connection.emit_signal(None::<&str>, JOB, properties, "PropertiesChanged", &body);
    emit.await.unwrap();
}

pub async fn cancel(connection: &Connection, world: &Mutex<World>) {
    let course = world.lock().unwrap().course;
    if course == Course::UntilCancelled {
        finish(
            connection,
            world,
            Some("cancelled; the last good save is untouched"),
        )
        .await;
    }
}

async fn finish(connection: &Connection, world: &Mutex<World>, cancelled: Option<&str>) {
    let (result, error, message, facts) = {
        let mut world = world.lock().unwrap();
        let (result, error, message) = match (cancelled, world.failure) {
            (Some(why), _) => ("cancelled", "Cancelled", why),
            (None, Some((error, message))) => ("failed", error, message),
            (None, None) => ("done", "", ""),
        };
        let error = if error.is_empty() {
            String::new()
        } else {
            format!("{}{error}", error::PREFIX)
        };
        let facts = world.facts.clone();
        let job = world.jobs.get_mut(JOB).unwrap();
        job.state = result.into();
        job.error.clone_from(&error);
        job.message = message.into();
        job.facts = facts.clone();
        (result.to_owned(), error, message.to_owned(), facts)
    };
    let body = (result, error, message, facts);
    let emit = connection.emit_signal(None::<&str>, JOB, "org.ubuntu.Wendy.Job", "Finished", &body);
    emit.await.unwrap();
}

/// A steady job takes a step each time it has been looked at, so that every step is seen.
pub async fn go_on(connection: &Connection, world: &Mutex<World>) {
    let (steady, phase, state) = {
        let world = world.lock().unwrap();
        let job = &world.jobs[JOB];
        (
            world.course == Course::Steady,
            job.phase.clone(),
            job.state.clone(),
        )
    };
    match phase.as_str() {
        _ if !steady || state != "running" => {}
        "copying" => progress(connection, world).await,
        _ => finish(connection, world, None).await,
    }
}
