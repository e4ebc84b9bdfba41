//! One job as it runs: what its work, the bus and a cancel meet at.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use wendy_sys::Cancel;

use super::{
    DeviceId, Failure, FailureKind, JobId, JobState, JobView, KEEP_FINISHED, ObjectId, Operation,
    Outcome, Phase, Request,
};
use crate::clock;

#[derive(Debug)]
pub(super) struct Job {
    id: JobId,
    request: Request,
    started: i64,
    cancel: Cancel,
    bytes: Counter,
    entries: Counter,
    status: Mutex<Status>,
}

#[derive(Debug, Default)]
struct Counter {
    done: AtomicU64,
    total: AtomicU64,
}

impl Counter {
    fn read(&self) -> (u64, u64) {
        (self.done.load(Relaxed), self.total.load(Relaxed))
    }

    fn reset(&self) {
        self.done.store(0, Relaxed);
        self.total.store(0, Relaxed);
    }
}

#[derive(Debug)]
struct Status {
    state: JobState,
    phase: Option<Phase>,
    phase_began: Instant,
    point_of_no_return: bool,
    /// To be stopped now would leave less than to finish.
    must_finish: bool,
    gone: Option<DeviceId>,
    outcome: Option<(Outcome, Instant)>,
}

impl Job {
    pub(super) fn new(id: JobId, request: Request) -> Job {
        let status = Status {
            state: JobState::Queued,
            phase: None,
            phase_began: Instant::now(),
            point_of_no_return: false,
            must_finish: false,
            gone: None,
            outcome: None,
        };
        Job {
            id,
            request,
            started: clock::now(),
            cancel: Cancel::new(),
            bytes: Counter::default(),
            entries: Counter::default(),
            status: Mutex::new(status),
        }
    }

    pub(super) fn id(&self) -> JobId {
        self.id
    }

    pub(super) fn operation(&self) -> Operation {
        self.request.operation
    }

    pub(super) fn uid(&self) -> u32 {
        self.request.uid
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = DeviceId> {
        self.request
            .objects
            .iter()
            .filter_map(|object| match object {
                ObjectId::Device(id) => Some(*id),
                _ => None,
            })
    }

    /// Whether this is one of its objects, or a device on the same disk as one of them.
    pub(super) fn works_on(&self, object: &ObjectId) -> bool {
        self.request
            .objects
            .iter()
            .any(|mine| match (mine, object) {
                (ObjectId::Device(mine), ObjectId::Device(other)) => mine.diskseq == other.diskseq,
                _ => mine == object,
            })
    }

    pub(super) fn is_active(&self) -> bool {
        self.status().outcome.is_none()
    }

    pub(super) fn expires(&self) -> Option<Instant> {
        self.status()
            .outcome
            .as_ref()
            .map(|(_, ended)| *ended + KEEP_FINISHED)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    pub(super) fn flag(&self) -> &Cancel {
        &self.cancel
    }

    /// `false` once it is too late.
    pub(super) fn cancel(&self) -> bool {
        let status = self.status();
        let possible = status.outcome.is_none() && !status.must_finish;
        if possible {
            self.cancel.cancel();
        }
        possible
    }

    pub(super) fn fail_gone(&self, device: DeviceId) {
        let mut status = self.status();
        if status.outcome.is_none() {
            status.gone.get_or_insert(device);
            self.cancel.cancel();
        }
    }

    pub(super) fn advance(&self, bytes: u64, entries: u64) {
        self.bytes.done.fetch_add(bytes, Relaxed);
        self.entries.done.fetch_add(entries, Relaxed);
    }

    pub(super) fn set_total(&self, bytes: u64, entries: u64) {
        self.bytes.total.store(bytes, Relaxed);
        self.entries.total.store(entries, Relaxed);
    }

    pub(super) fn enter(&self, phase: Option<Phase>) {
        let mut status = self.status();
        status.state = JobState::Running;
        status.phase = phase;
        status.phase_began = Instant::now();
        self.bytes.reset();
        self.entries.reset();
    }

    /// `false` if it was cancelled before.
    pub(super) fn pass_point_of_no_return(&self) -> bool {
        let mut status = self.status();
        let passes = !self.is_cancelled();
        status.point_of_no_return |= passes;
        status.must_finish |= passes;
        passes
    }

    pub(super) fn may_end_here(&self) {
        self.status().must_finish = false;
    }

    pub(super) fn finish(&self, result: Result<super::Facts, Failure>) {
        let mut status = self.status();
        let outcome = status.judge(result);
        status.state = match outcome {
            Outcome::Done(_) => JobState::Done,
            Outcome::Failed(_) => JobState::Failed,
            Outcome::Cancelled(_) => JobState::Cancelled,
        };
        status.phase = None;
        status.outcome = Some((outcome, Instant::now()));
    }

    pub(super) fn view(&self) -> JobView {
        let status = self.status();
        let (bytes_done, bytes_total) = self.bytes.read();
        let (entries_done, entries_total) = self.entries.read();
        let rate = rate(bytes_done, status.phase_began);
        let active = status.outcome.is_none();
        JobView {
            id: self.id,
            operation: self.request.operation,
            uid: self.request.uid,
            objects: self.request.objects.clone(),
            state: status.state,
            phase: status.phase,
            bytes_done,
            bytes_total,
            entries_done,
            entries_total,
            rate: if active { rate } else { 0 },
            started: self.started,
            expected_end: if active {
                expected_end(bytes_done, bytes_total, rate)
            } else {
                0
            },
            cancelable: active && !status.must_finish && !self.is_cancelled(),
            point_of_no_return: status.point_of_no_return,
            outcome: status.outcome.as_ref().map(|(outcome, _)| outcome.clone()),
        }
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    /// A pulled device explains whatever the work complained about.
    fn judge(&self, result: Result<super::Facts, Failure>) -> Outcome {
        match (result, self.gone) {
            (Ok(facts), _) => Outcome::Done(facts),
            (Err(_), Some(device)) => Outcome::Failed(Failure::new(
                FailureKind::Gone,
                format!("device {device} was unplugged: plug it in and start again"),
            )),
            (Err(failure), None) if failure.kind == FailureKind::Cancelled => {
                Outcome::Cancelled(failure)
            }
            (Err(failure), None) => Outcome::Failed(failure),
        }
    }
}

/// Bytes per second; 0 until there is enough to judge by.
fn rate(bytes: u64, since: Instant) -> u64 {
    let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    if millis < 200 {
        0
    } else {
        bytes.saturating_mul(1000) / millis
    }
}

fn expected_end(done: u64, total: u64, rate: u64) -> i64 {
    if rate == 0 || total <= done {
        return 0;
    }
    clock::now().saturating_add(i64::try_from((total - done) / rate).unwrap_or(i64::MAX))
}
