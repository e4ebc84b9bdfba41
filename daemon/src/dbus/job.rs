//! `org.ubuntu.Wendy.Job`.

use wendy_dbus::{
    Dict, Error, Result,
    options::{NoOptions, parse},
    words::Word,
};
use zbus::{OwnedObjectPath, interface, message::Header, object_server::SignalEmitter};

use super::{
    about::About,
    error::name_of,
    paths,
    shelf::{Object, Shelved},
    values::dict,
};
use crate::jobs::{Failure, JobId, JobView, Outcome};

/// A job on the bus.
pub(super) struct JobObject(Shelved<JobId, JobView>);

impl Object for JobObject {
    type Key = JobId;
    type View = JobView;

    fn path(id: JobId) -> OwnedObjectPath {
        paths::job(id)
    }

    fn new(shelved: Shelved<JobId, JobView>) -> JobObject {
        JobObject(shelved)
    }
}

/// Sends `Finished` for a job that has ended.
pub(super) async fn tell_finished(emitter: &SignalEmitter<'_>, view: &JobView) -> zbus::Result<()> {
    let (error, message) = error_and_message(view.outcome.as_ref());
    let facts = facts(view.outcome.as_ref());
    JobObject::finished(emitter, view.state.word(), &error, &message, facts).await
}

#[interface(name = "org.ubuntu.Wendy.Job", introspection_docs = false)]
impl JobObject {
    async fn cancel(&self, options: Dict, #[zbus(header)] header: Header<'_>) -> Result<()> {
        parse::<NoOptions>(&options)?;
        self.0
            .context
            .admit(&header, About::job(self.0.key))
            .await?;
        let too_late = !self.0.context.jobs.cancel(self.0.key)
            && self
                .0
                .context
                .jobs
                .view(self.0.key)
                .is_some_and(|job| job.outcome.is_none());
        if too_late {
            let why = format!(
                "job {} is past the point of no return: wait for it",
                self.0.key
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
        self.0.get().operation.word()
    }

    #[zbus(property)]
    fn state(&self) -> &'static str {
        self.0.get().state.word()
    }

    #[zbus(property)]
    fn phase(&self) -> &'static str {
        self.0.get().phase.map_or("", Word::word)
    }

    #[zbus(property)]
    fn progress(&self) -> f64 {
        self.0.get().progress()
    }

    #[zbus(property)]
    fn bytes_done(&self) -> u64 {
        self.0.get().bytes_done
    }

    #[zbus(property)]
    fn bytes_total(&self) -> u64 {
        self.0.get().bytes_total
    }

    #[zbus(property)]
    fn entries_done(&self) -> u64 {
        self.0.get().entries_done
    }

    #[zbus(property)]
    fn entries_total(&self) -> u64 {
        self.0.get().entries_total
    }

    #[zbus(property)]
    fn rate(&self) -> u64 {
        self.0.get().rate
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn started(&self) -> i64 {
        self.0.get().started
    }

    #[zbus(property)]
    fn expected_end(&self) -> i64 {
        self.0.get().expected_end
    }

    #[zbus(property)]
    fn objects(&self) -> Vec<OwnedObjectPath> {
        self.0.get().objects.iter().map(paths::object).collect()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn started_by_uid(&self) -> u32 {
        self.0.get().uid
    }

    #[zbus(property)]
    fn cancelable(&self) -> bool {
        self.0.get().cancelable
    }

    #[zbus(property)]
    fn point_of_no_return(&self) -> bool {
        self.0.get().point_of_no_return
    }

    /// None: nothing a job does waits for another process.
    #[zbus(property)]
    fn blockers(&self) -> Vec<(u32, String, String)> {
        Vec::new()
    }

    #[zbus(property)]
    fn error(&self) -> String {
        error_and_message(self.0.get().outcome.as_ref()).0
    }

    #[zbus(property)]
    fn message(&self) -> String {
        error_and_message(self.0.get().outcome.as_ref()).1
    }

    #[zbus(property)]
    fn facts(&self) -> Dict {
        facts(self.0.get().outcome.as_ref())
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
