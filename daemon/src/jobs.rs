//! Long operations: each runs on a thread of its own and can be watched, cancelled and read
//! afterwards.
//!
//! A job belongs to nobody's connection: when the caller leaves, the job finishes. Two jobs never
//! work on the same object. Nothing in here speaks D-Bus or touches a device.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::model::{DeviceId, World};

mod facts;
mod handle;
mod job;
mod outcome;
#[cfg(test)]
mod tests;
mod view;

pub use facts::{Fact, Facts};
pub use handle::JobHandle;
pub use outcome::{Failure, FailureKind, Outcome};
pub use view::{JobId, JobState, JobView, ObjectId, Operation, Phase};

use job::Job;

/// How long a finished job can be read.
pub const KEEP_FINISHED: Duration = Duration::from_secs(300);
/// Jobs of one user that may be unfinished at once.
pub const MAX_ACTIVE_PER_UID: usize = 4;
/// Finished jobs of one user that are kept, so that a loop of failing calls cannot fill memory.
pub const MAX_FINISHED_PER_UID: usize = 16;

/// Who asks for which operation on what.
#[derive(Debug, Clone)]
pub struct Request {
    /// The kind of work.
    pub operation: Operation,
    /// The user it is done for.
    pub uid: u32,
    /// What it works on. No other job may touch these meanwhile, and a device in here that is
    /// unplugged ends the job with [`FailureKind::Gone`]. Name the whole disk when partitions come
    /// and go during the work.
    pub objects: Vec<ObjectId>,
}

/// Why a job was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another job works on the same object.
    #[error("job {0} is working on {1}: wait for it or cancel it")]
    InUse(JobId, ObjectId),
    /// The user has too many unfinished jobs.
    #[error("{MAX_ACTIVE_PER_UID} jobs of this user are unfinished: wait for one or cancel it")]
    TooMany,
    /// The daemon is about to stop.
    #[error("the daemon is stopping: try again when it is back")]
    Stopping,
    /// The kernel gave no thread.
    #[error("no thread could be started for the job: try again later")]
    NoThread,
}

/// All jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Table {
    last_id: u64,
    stopping: bool,
    jobs: BTreeMap<JobId, Arc<Job>>,
}

impl Jobs {
    /// No jobs yet.
    pub fn new() -> Jobs {
        let shared = Shared {
            table: Mutex::default(),
            changed: watch::Sender::new(()),
        };
        Jobs {
            shared: Arc::new(shared),
        }
    }

    /// Starts `work` on a thread of its own and returns at once.
    ///
    /// # Errors
    /// [`Refused`], and then nothing was started.
    pub fn start<E: Into<Failure>>(
        &self,
        request: Request,
        work: impl FnOnce(&JobHandle) -> Result<Facts, E> + Send + 'static,
    ) -> Result<JobId, Refused> {
        let job = self.lock().admit(request)?;
        let id = job.id();
        let handle = JobHandle::new(job, self.shared.changed.clone());
        let thread = thread::Builder::new().name(format!("job-{id}"));
        if thread.spawn(move || handle.run(work)).is_err() {
            self.lock().jobs.remove(&id);
            return Err(Refused::NoThread);
        }
        self.tell();
        Ok(id)
    }

    /// All jobs, oldest first.
    pub fn views(&self) -> Vec<JobView> {
        self.lock().jobs.values().map(|job| job.view()).collect()
    }

    /// One job as it is now.
    pub fn view(&self, id: JobId) -> Option<JobView> {
        self.find(id).map(|job| job.view())
    }

    /// Asks a job to stop at its next safe point; `false` if it cannot be stopped any more.
    pub fn cancel(&self, id: JobId) -> bool {
        self.find(id).is_some_and(|job| job.cancel())
    }

    /// Whether a job is unfinished.
    pub fn any_active(&self) -> bool {
        self.lock().jobs.values().any(|job| job.is_active())
    }

    /// Ends the jobs whose device is no longer there.
    pub fn drop_gone(&self, world: &World) {
        let jobs: Vec<_> = self.lock().jobs.values().cloned().collect();
        for job in jobs {
            if let Some(device) = job.devices().find(|id| !world.devices.contains_key(id)) {
                job.fail_gone(device);
            }
        }
    }

    /// Takes no more jobs and asks the running ones to stop at their next safe point.
    pub fn stop(&self) {
        let mut table = self.lock();
        table.stopping = true;
        table.jobs.values().for_each(|job| {
            job.cancel();
        });
    }

    /// Forgets the jobs that finished long ago.
    pub fn forget_old(&self, now: Instant) {
        self.lock()
            .jobs
            .retain(|_, job| job.expires().is_none_or(|at| at > now));
    }

    /// When the next finished job is to be forgotten.
    pub fn next_to_forget(&self) -> Option<Instant> {
        self.lock()
            .jobs
            .values()
            .filter_map(|job| job.expires())
            .min()
    }

    /// Starts watching for jobs that start, change their phase or finish. Progress in bytes makes
    /// no noise here: who shows it looks at [`Jobs::views`] as often as it likes.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.shared.changed.subscribe()
    }

    fn find(&self, id: JobId) -> Option<Arc<Job>> {
        self.lock().jobs.get(&id).cloned()
    }

    fn tell(&self) {
        self.shared.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.shared
            .table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Jobs {
    fn default() -> Jobs {
        Jobs::new()
    }
}

impl Table {
    fn admit(&mut self, request: Request) -> Result<Arc<Job>, Refused> {
        if self.stopping {
            return Err(Refused::Stopping);
        }
        self.check_objects(&request.objects)?;
        self.check_quota(request.uid)?;
        self.last_id += 1;
        let job = Arc::new(Job::new(JobId(self.last_id), request));
        self.jobs.insert(job.id(), job.clone());
        Ok(job)
    }

    fn check_objects(&self, wanted: &[ObjectId]) -> Result<(), Refused> {
        for job in self.jobs.values().filter(|job| job.is_active()) {
            if let Some(object) = wanted.iter().find(|object| job.works_on(object)) {
                return Err(Refused::InUse(job.id(), object.clone()));
            }
        }
        Ok(())
    }

    fn check_quota(&mut self, uid: u32) -> Result<(), Refused> {
        let (active, finished): (Vec<_>, Vec<_>) = self
            .jobs
            .values()
            .filter(|job| job.uid() == uid)
            .partition(|job| job.is_active());
        if active.len() >= MAX_ACTIVE_PER_UID {
            return Err(Refused::TooMany);
        }
        if finished.len() >= MAX_FINISHED_PER_UID {
            let oldest = finished[0].id();
            self.jobs.remove(&oldest);
        }
        Ok(())
    }
}
