//! `org.ubuntu.Wendy.Job`.

use std::sync::Arc;

use wendy_dbus::{
    Dict, Error, Result,
    options::{NoOptions, parse},
};
use zbus::{OwnedObjectPath, interface, message::Header, object_server::SignalEmitter};

use super::{
    about::About,
    context::Context,
    error::name_of,
    paths,
    shelf::{Object, Shown},
    values::dict,
};
use crate::jobs::{Failure, JobId, JobView, Outcome};

/// A job on the bus.
pub(super) struct JobObject {
    id: JobId,
    shown: Shown<JobView>,
    context: Arc<Context>,
}

impl Object for JobObject {
    type Key = JobId;
    type View = JobView;

    fn path(id: JobId) -> OwnedObjectPath {
        paths::job(id)
    }

    fn new(id: JobId, shown: Shown<JobView>, context: Arc<Context>) -> JobObject {
        JobObject { id, shown, context }
    }
}

/// Sends `Finished` for a job that has ended.
pub(super) async fn tell_finished(emitter: &SignalEmitter<'_>, view: &JobView) -> zbus::Result<()> {
    let (error, message) = error_and_message(view.outcome.as_ref());
    let facts = facts(view.outcome.as_ref());
    JobObject::finished(emitter, view.state.as_str(), &error, &message, facts).await
}

#[interface(name = "org.ubuntu.Wendy.Job", introspection_docs = false)]
impl JobObject {
    async fn cancel(&self, options: Dict, #[zbus(header)] header: Header<'_>) -> Result<()> {
        parse::<NoOptions>(&options)?;
        self.context.admit(&header, About::job(self.id)).await?;
        let too_late = !self.context.jobs.cancel(self.id)
            && self
                .context
                .jobs
                .view(self.id)
                .is_some_and(|job| job.outcome.is_none());
        if too_late {
            let why = format!(
                "job {} is past the point of no return: wait for it",
                self.id
            );
            return Err(Error::NotSupported(why));
        }
        Ok(())
    }

    #[zbus(signal)]
    async fn finished(
        emitter: &SignalEmitter<'_>,
        result: &str,
        error: &str,
        message: &str,
        facts: Dict,
    ) -> zbus::Result<()>;

    #[zbus(property(emits_changed_signal = "const"))]
    fn operation(&self) -> &'static str {
        self.shown.get().operation.as_str()
    }

    #[zbus(property)]
    fn state(&self) -> &'static str {
        self.shown.get().state.as_str()
    }

    #[zbus(property)]
    fn phase(&self) -> &'static str {
        self.shown.get().phase.as_str()
    }

    #[zbus(property)]
    fn progress(&self) -> f64 {
        self.shown.get().progress()
    }

    #[zbus(property)]
    fn bytes_done(&self) -> u64 {
        self.shown.get().bytes_done
    }

    #[zbus(property)]
    fn bytes_total(&self) -> u64 {
        self.shown.get().bytes_total
    }

    #[zbus(property)]
    fn entries_done(&self) -> u64 {
        self.shown.get().entries_done
    }

    #[zbus(property)]
    fn entries_total(&self) -> u64 {
        self.shown.get().entries_total
    }

    #[zbus(property)]
    fn rate(&self) -> u64 {
        self.shown.get().rate
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn started(&self) -> i64 {
        self.shown.get().started
    }

    #[zbus(property)]
    fn expected_end(&self) -> i64 {
        self.shown.get().expected_end
    }

    #[zbus(property)]
    fn objects(&self) -> Vec<OwnedObjectPath> {
        self.shown.get().objects.iter().map(paths::object).collect()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn started_by_uid(&self) -> u32 {
        self.shown.get().uid
    }

    #[zbus(property)]
    fn cancelable(&self) -> bool {
        self.shown.get().cancelable
    }

    #[zbus(property)]
    fn point_of_no_return(&self) -> bool {
        self.shown.get().point_of_no_return
    }

    #[zbus(property)]
    fn blockers(&self) -> Vec<(u32, String, String)> {
        let view = self.shown.get();
        let blockers = view.blockers.iter().cloned();
        blockers
            .map(|blocker| (blocker.pid, blocker.command, blocker.reason))
            .collect()
    }

    #[zbus(property)]
    fn error(&self) -> String {
        error_and_message(self.shown.get().outcome.as_ref()).0
    }

    #[zbus(property)]
    fn message(&self) -> String {
        error_and_message(self.shown.get().outcome.as_ref()).1
    }

    #[zbus(property)]
    fn facts(&self) -> Dict {
        facts(self.shown.get().outcome.as_ref())
    }
}

fn error_and_message(outcome: Option<&Outcome>) -> (String, String) {
    let failure: Option<&Failure> = match outcome {
        Some(Outcome::Failed(failure) | Outcome::Cancelled(failure)) => Some(failure),
        Some(Outcome::Done(_)) | None => None,
    };
    failure
        .map(|failure| (name_of(failure), failure.message.clone()))
        .unwrap_or_default()
}

fn facts(outcome: Option<&Outcome>) -> Dict {
    match outcome {
        Some(Outcome::Done(facts)) => dict(facts),
        _ => Dict::new(),
    }
}
