//! The life of the daemon: begin to listen for signals, serve, take the name, wait, end well.
//!
//! The name is taken last, so that the call that started the daemon finds everything in its place.
//! On the way out running jobs are brought to a safe point; a second signal does not wait for that.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wendy_dbus::BUS_NAME;
use zbus::{Connection, connection::Builder, fdo::RequestNameFlags};

use crate::{
    authority::Authority,
    dbus::{Context, keep_awake, serve},
    jobs::Jobs,
    model::Hub,
    operations::Operations,
};

/// How long one request for more time to stop lasts.
const EXTENSION: Duration = Duration::from_secs(30);

/// What the daemon is made of, apart from the bus.
#[derive(Debug)]
pub struct Rooms {
    /// What is known of the machine, the first look included.
    pub hub: Hub,
    /// Long work.
    pub jobs: Jobs,
    /// What can be asked for.
    pub operations: Arc<dyn Operations>,
    /// Who says whether a caller may.
    pub authority: Arc<dyn Authority>,
}

/// The signals that ask the daemon to stop.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen. A signal that comes before is not lost to the default action only if this
    /// is called first thing.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Serves on the system bus until a signal says stop.
///
/// # Errors
/// If the bus cannot be reached, is lost, or another daemon has the name.
pub async fn run(rooms: Rooms, mut signals: Signals) -> anyhow::Result<()> {
    let connection = Builder::system()
        .build()
        .await
        .context("cannot reach the system bus")?;
    let jobs = rooms.jobs.clone();
    let parts = (rooms.hub, rooms.jobs);
    let context = Context::new(&connection, parts, rooms.operations, rooms.authority).await?;
    let publisher = serve(&connection, context).await?;
    let stop = CancellationToken::new();
    let mut publishing = tokio::spawn(publisher.run(stop.clone()));
    tokio::spawn(keep_awake(connection.clone(), jobs.clone()));
    take_name(&connection).await?;
    notify(&[NotifyState::Ready]);
    info!(version = env!("CARGO_PKG_VERSION"), "wendyd serves");

    tokio::select! {
        () = signals.next() => info!("asked to stop"),
        () = connection.closed() => warn!("the bus is gone"),
        ended = &mut publishing => return Ok(ended??),
    }
    finish(&jobs, &mut signals).await;
    stop.cancel();
    if connection.is_closed() {
        anyhow::bail!("the bus is gone")
    } else {
        Ok(publishing.await??)
    }
}

/// No flag but this one: nobody may take the name away, and nobody's is taken.
async fn take_name(connection: &Connection) -> anyhow::Result<()> {
    let flags = RequestNameFlags::DO_NOT_QUEUE;
    let name = connection.request_name_with_flags(BUS_NAME, flags).await;
    name.with_context(|| format!("cannot take the name {BUS_NAME}"))?;
    Ok(())
}

/// Takes no more jobs and waits for the running ones to reach a safe point, or for a second signal.
async fn finish(jobs: &Jobs, signals: &mut Signals) {
    notify(&[NotifyState::Stopping]);
    let mut changes = jobs.watch();
    jobs.stop();
    while jobs.any_active() {
        notify(&[NotifyState::ExtendTimeoutUsec(micros(EXTENSION))]);
        tokio::select! {
            _ = changes.changed() => {}
            () = sleep(EXTENSION / 2) => {}
            () = signals.next() => {
                warn!("stopping at once, jobs are cut short");
                return;
            }
        }
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).expect("an extension is shorter than an hour")
}

/// Tells systemd, if it started this daemon.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd cannot be told");
    }
}
