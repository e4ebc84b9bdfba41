//! What the work itself holds while it runs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::sync::watch;
use tracing::{info, warn};
use wendy_dbus::words::Word;
use wendy_sys::Cancel;

use super::{Facts, Failure, FailureKind, JobId, Phase, job::Job};

/// The side of a job that its work sees: tell how far it is, learn that it should stop.
#[derive(Debug)]
pub struct JobHandle {
    job: Arc<Job>,
    changed: watch::Sender<()>,
}

impl JobHandle {
    pub(super) fn new(job: Arc<Job>, changed: watch::Sender<()>) -> JobHandle {
        JobHandle { job, changed }
    }

    /// The number of this job.
    pub fn id(&self) -> JobId {
        self.job.id()
    }

    /// The next step begins; bytes are counted from 0 again.
    pub fn phase(&self, phase: Phase) {
        info!(job = %self.id(), phase = phase.word(), "job entered phase");
        self.job.enter(Some(phase));
        self.tell();
    }

    /// How many bytes and entries this phase has to handle.
    pub fn total(&self, bytes: u64, entries: u64) {
        self.job.set_total(bytes, entries);
    }

    /// So many more are handled. Cheap: call it as often as you like, from any thread.
    pub fn advance(&self, bytes: u64, entries: u64) {
        self.job.advance(bytes, entries);
    }

    /// The flag that is set when the job should stop, for tools and copies.
    pub fn cancel_flag(&self) -> &Cancel {
        self.job.flag()
    }

    /// Someone asked the job to stop, or its device is gone.
    pub fn is_cancelled(&self) -> bool {
        self.job.is_cancelled()
    }

    /// From here on the job cannot be cancelled.
    ///
    /// # Errors
    /// [`FailureKind::Cancelled`] if it was cancelled just before: do not go on.
    pub fn point_of_no_return(&self) -> Result<(), Failure> {
        if self.job.pass_point_of_no_return() {
            self.tell();
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Cancelled,
            format!("job {} was cancelled", self.id()),
        ))
    }

    /// What is done counts, and the job may be cancelled again: the rest is not worth waiting for.
    pub fn may_end_here(&self) {
        self.job.may_end_here();
        self.tell();
    }

    /// Does the work and keeps its result. A panic ends the job, never the daemon.
    pub(super) fn run<E: Into<Failure>>(self, work: impl FnOnce(&JobHandle) -> Result<Facts, E>) {
        self.job.enter(None);
        info!(job = %self.id(), operation = self.job.operation().word(), "job started");
        let result = catch_unwind(AssertUnwindSafe(|| work(&self).map_err(Into::into)))
            .unwrap_or_else(|panic| Err(Failure::panicked(&*panic)));
        match &result {
            Ok(_) => info!(job = %self.id(), "job done"),
            Err(failure) => warn!(job = %self.id(), %failure, "job not done"),
        }
        self.job.finish(result);
        self.tell();
    }

    fn tell(&self) {
        self.changed.send_replace(());
    }
}
