//! Calls that start a job, and how they end.

use futures_util::StreamExt;
use tokio::time::timeout;
use wendy_dbus::{
    Result,
    options::{PrepareOptions, SaveOptions},
    paths::ROOT,
    proxies::{JobProxy, StoreProxy, WendyProxy},
};
use zbus::{Connection, DBusError, OwnedObjectPath};

use crate::system::{PATIENCE, Ran};

/// The name of the error that a call, or the job it starts, ends with; without what all have.
pub async fn outcome(caller: &Connection, job: Result<OwnedObjectPath>) -> String {
    let name = match job {
        Err(error) => error.name().to_string(),
        Ok(path) => {
            let job = JobProxy::builder(caller).path(path).build().await.unwrap();
            let mut ends = job.receive_finished().await.unwrap();
            let state = job.state().await.unwrap();
            if !["done", "failed", "cancelled"].contains(&state.as_str()) {
                timeout(PATIENCE, ends.next()).await.expect("the job ends");
            }
            job.error().await.unwrap()
        }
    };
    name.trim_start_matches("org.ubuntu.Wendy.Error.")
        .to_owned()
}

/// Saves under this name; the error as [`outcome`] names it.
pub async fn save(
    caller: &Connection,
    store: &OwnedObjectPath,
    name: &str,
    options: SaveOptions,
) -> String {
    let wendy = WendyProxy::new(caller).await.unwrap();
    let job = wendy.save_session(store, name, &options).await;
    outcome(caller, job).await
}

/// Prepares the whole device; the error as [`outcome`] names it.
pub async fn prepare(caller: &Connection, device: &OwnedObjectPath, name: &str) -> String {
    let options = PrepareOptions {
        name: Some(name.to_owned()),
        ..PrepareOptions::default()
    };
    let wendy = WendyProxy::new(caller).await.unwrap();
    let job = wendy.prepare_device(device, &options).await;
    outcome(caller, job).await
}

/// Whether a run of wendyctl has failed with this status and these words.
#[track_caller]
pub fn fails(ran: Ran, code: i32, words: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert!(ran.err.contains(words), "{words:?} is not in {ran:?}");
}

/// A save that goes on in this session.
pub fn update_of(session: &OwnedObjectPath) -> SaveOptions {
    SaveOptions {
        session: Some(session.clone()),
        ..SaveOptions::default()
    }
}

/// The session of a store that has but one.
pub async fn only_session(caller: &Connection, store: &OwnedObjectPath) -> OwnedObjectPath {
    let store = StoreProxy::builder(caller).path(store.clone()).build();
    let sessions = store.await.unwrap().sessions().await.unwrap();
    assert_eq!(sessions.len(), 1, "below {ROOT}");
    sessions[0].clone()
}
