//! Keeps the computer awake while a job works.

use tracing::{debug, warn};
use zbus::{Connection, OwnedFd, proxy};

use crate::jobs::Jobs;

#[proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
trait Login {
    /// Returns a descriptor that delays or forbids `what` until it is closed
    /// (org.freedesktop.login1(5)).
    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> zbus::Result<OwnedFd>;
}

/// Asks logind to forbid shutdown and sleep from the start of a job until none is unfinished. Ends
/// with the jobs. A system without logind is fine.
pub async fn keep_awake(connection: Connection, jobs: Jobs) {
    let mut changes = jobs.watch();
    let mut lock = None;
    loop {
        match (jobs.any_active(), lock.is_some()) {
            (true, false) => lock = Some(inhibit(&connection).await),
            (false, true) => lock = None,
            _ => {}
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// `None` inside means that there is no logind; asking once per job is enough.
async fn inhibit(connection: &Connection) -> Option<OwnedFd> {
    let login = LoginProxy::new(connection).await;
    let login = login
        .inspect_err(|error| warn!(%error, "cannot talk to logind"))
        .ok()?;
    let why = "A medium is being written";
    let lock = login.inhibit("shutdown:sleep", "wendy", why, "block").await;
    lock.inspect_err(|error| debug!(%error, "no inhibitor lock"))
        .ok()
}
