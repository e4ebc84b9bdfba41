//! What every object on the bus shares, and the one way in: nothing is done for a caller who has
//! not come through [`Context::admit`].

use std::sync::Arc;

use tokio::{sync::watch, task::spawn_blocking};
use wendy_dbus::{Error, Result};
use zbus::{
    Connection, OwnedObjectPath,
    message::{Flags, Header},
};

use super::{
    about::{About, gone, not_found},
    caller::{Callers, Departure, Visit},
    paths,
};
use crate::{
    authority::{Authority, Gate, Question, rules},
    jobs::{Failure, JobId, Jobs},
    model::Hub,
    operations::{Caller, Operations},
};

/// What every object on the bus shares.
#[derive(Debug)]
pub struct Context {
    pub(super) hub: Hub,
    pub(super) jobs: Jobs,
    pub(super) operations: Arc<dyn Operations>,
    gate: Gate,
    callers: Callers,
    pub(super) latest_job: watch::Sender<Option<JobId>>,
}

impl Context {
    /// Joins the rooms the bus needs.
    ///
    /// # Errors
    /// If the bus daemon cannot be asked about callers.
    pub async fn new(
        connection: &Connection,
        (hub, jobs): (Hub, Jobs),
        operations: Arc<dyn Operations>,
        authority: Arc<dyn Authority>,
    ) -> zbus::Result<Arc<Context>> {
        Ok(Arc::new(Context {
            hub,
            jobs,
            operations,
            gate: Gate::new(authority),
            callers: Callers::new(connection).await?,
            latest_job: watch::Sender::new(None),
        }))
    }

    /// Lets a caller in, or not. The objects of the call exist before and after the question.
    pub(super) async fn admit(&self, header: &Header<'_>, about: About) -> Result<Visit> {
        let mut visit = self.callers.identify(header).await?;
        let world = self.hub.snapshot();
        if let Some(kind) = about.missing(&world, &self.jobs) {
            return Err(not_found(kind));
        }
        let uid = visit.caller.uid;
        let (interface, method) = addressed(header);
        let circumstances = about.circumstances(&world, &self.jobs, uid);
        if let Some(action) = rules::required(interface, method, circumstances)? {
            let caller = visit.caller.bus_name.clone();
            let details = about.details(&world, &self.jobs);
            let question = Question {
                caller,
                uid,
                action,
                details,
            };
            visit.departure = Some(self.ask(header, &visit, question).await?);
            if let Some(kind) = about.missing(&self.hub.snapshot(), &self.jobs) {
                return Err(gone(kind));
            }
        }
        Ok(visit)
    }

    /// Asks polkit. From then on it is known when the caller leaves.
    async fn ask(
        &self,
        header: &Header<'_>,
        visit: &Visit,
        question: Question,
    ) -> Result<Departure> {
        let departure = self.callers.watch(&visit.caller).await?;
        let interactive = header
            .primary()
            .flags()
            .contains(Flags::ALLOW_INTERACTIVE_AUTH);
        self.gate
            .check(&question, interactive, &departure.gone)
            .await?;
        Ok(departure)
    }

    /// Runs an operation where it may block, and counts it as the visitor's until it returns.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        visit: Visit,
        operation: impl FnOnce(&dyn Operations, &Caller) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let operations = self.operations.clone();
        let work = spawn_blocking(move || {
            visit.caller.check_present()?;
            operation(&*operations, &visit.caller)
        });
        let result = work
            .await
            .map_err(|error| Error::Failed(format!("internal error: {error}")));
        Ok(result??)
    }

    /// Runs an operation that starts a job, and answers once the job can be seen on the bus.
    pub(super) async fn run_job(
        &self,
        visit: Visit,
        operation: impl FnOnce(&dyn Operations, &Caller) -> Result<JobId, Failure> + Send + 'static,
    ) -> Result<OwnedObjectPath> {
        let id = self.run(visit, operation).await?;
        let mut latest = self.latest_job.subscribe();
        // Fails only when the daemon is on its way out, and then nobody waits for the answer.
        let _ = latest.wait_for(|latest| *latest >= Some(id)).await;
        Ok(paths::job(id))
    }
}

/// zbus delivers no call without these two, and there is no rule for empty names.
fn addressed<'m>(header: &'m Header<'_>) -> (&'m str, &'m str) {
    let interface = header.interface().map_or("", |name| name.as_str());
    (interface, header.member().map_or("", |name| name.as_str()))
}

/// The answer for verbs of the contract that this daemon cannot do yet.
pub(super) fn not_supported<T>(what: &str) -> Result<T> {
    Err(Error::NotSupported(format!(
        "this version of wendy cannot {what}"
    )))
}
