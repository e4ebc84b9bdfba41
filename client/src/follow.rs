//! Starting a job and staying with it until it is over.
//!
//! Signals are subscribed to before the call, so that not even the shortest job is missed. The
//! first Ctrl-C asks the job to stop and waits until it has; the second one leaves.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use wendy_dbus::facts::Facts;
use wendy_dbus::objects::{Job, parse};
use wendy_dbus::options::NoOptions;
use wendy_dbus::paths;
use wendy_dbus::proxies::{Finished, JobProxy};
use wendy_dbus::words::{JobState, Word};
use zbus::OwnedObjectPath;
use zbus::fdo::NameOwnerChangedStream;
use zbus::message::Message;

use crate::bus::{Bus, Signals};
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::output::progress::Progress;
use crate::output::views::JobView;
use crate::world::Object;

/// How long a call may still answer after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);

/// How a job ended.
struct End {
    result: String,
    error: String,
    message: String,
    facts: Facts,
}

/// What Ctrl-C means for the job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    /// It was ours: stop it.
    Cancels,
    /// It is only watched: leave it alone.
    Leaves,
}

/// Starts a job and comes back with its facts when it is done.
///
/// # Errors
///
/// Why it could not start, failed or was cancelled.
pub async fn run(
    bus: &Bus,
    output: &Output,
    start: impl Future<Output = wendy_dbus::Result<OwnedObjectPath>>,
) -> Result<Facts, Failure> {
    let mut ears = Ears::open(bus).await?;
    let mut start = pin!(start);
    let (path, stop) = tokio::select! {
        started = &mut start => (started?, false),
        _ = ears.interrupts.recv() => (begun_after_all(start).await?, true),
    };
    let mut follower = Follower::new(bus, output, path, Interrupt::Cancels);
    if stop {
        follower.interrupted().await?;
    }
    follower.follow(ears).await
}

/// The job of a call that Ctrl-C came in between, if it began all the same: it must not go on
/// unnoticed. Otherwise leaving the bus withdraws the call and any prompt with it.
async fn begun_after_all(
    start: impl Future<Output = wendy_dbus::Result<OwnedObjectPath>>,
) -> Result<OwnedObjectPath, Failure> {
    let withdrawn = |_| Failure::new(Exit::Cancelled, "cancelled before it began");
    Ok(tokio::time::timeout(GRACE, start)
        .await
        .map_err(withdrawn)??)
}

/// Follows a job that somebody else started. Ctrl-C leaves and the job goes on.
pub async fn watch(bus: &Bus, output: &Output, job: OwnedObjectPath) -> Result<Facts, Failure> {
    let ears = Ears::open(bus).await?;
    Follower::new(bus, output, job, Interrupt::Leaves)
        .follow(ears)
        .await
}

/// All that can be heard while a job is at work.
struct Ears {
    signals: Signals,
    departures: NameOwnerChangedStream,
    interrupts: Signal,
}

impl Ears {
    async fn open(bus: &Bus) -> Result<Self, Failure> {
        Ok(Self {
            signals: bus.signals(paths::JOBS).await?,
            departures: bus.departures().await?,
            interrupts: signal(SignalKind::interrupt())?,
        })
    }
}

struct Follower<'a> {
    bus: &'a Bus,
    output: &'a Output,
    path: OwnedObjectPath,
    interrupt: Interrupt,
    cancelling: bool,
    progress: Progress,
}

impl<'a> Follower<'a> {
    fn new(bus: &'a Bus, output: &'a Output, path: OwnedObjectPath, interrupt: Interrupt) -> Self {
        let progress = Progress::new(output);
        Self {
            bus,
            output,
            path,
            interrupt,
            cancelling: false,
            progress,
        }
    }

    async fn follow(mut self, mut ears: Ears) -> Result<Facts, Failure> {
        let mut end = self.look().await?;
        while end.is_none() {
            end = tokio::select! {
                Some(signal) = ears.signals.recv() => self.hear(&signal).await?,
                _ = ears.interrupts.recv() => self.interrupted().await?,
                Some(_) = ears.departures.next() => return Err(daemon_lost()),
            };
        }
        let job = self.job().await.ok();
        drop(self.progress);
        finish(
            self.output,
            job.as_ref(),
            end.expect("the loop ended with it"),
        )
    }

    /// Takes in a signal of the job; any other one is passed over.
    async fn hear(&mut self, message: &Message) -> Result<Option<End>, Failure> {
        let header = message.header();
        if header
            .path()
            .is_none_or(|path| path.as_str() != self.path.as_str())
        {
            return Ok(None);
        }
        match Finished::from_message(message.clone()) {
            Some(finished) => Ok(Some(End::from_signal(&finished)?)),
            None => self.look().await,
        }
    }

    /// Reads the job and shows it; its end, if it is over.
    async fn look(&mut self) -> Result<Option<End>, Failure> {
        let job = self.job().await?;
        self.progress.show(&job)?;
        let over = JobState::from_word(&job.state).is_some_and(JobState::is_final);
        Ok(over.then(|| End::from_properties(&job)))
    }

    async fn job(&self) -> Result<Object<Job>, Failure> {
        let dict = self
            .bus
            .properties(self.path.as_str(), "org.ubuntu.Wendy.Job")
            .await?;
        Ok(Object::new(self.path.clone(), parse(&dict)?))
    }

    async fn interrupted(&mut self) -> Result<Option<End>, Failure> {
        let number = self.path.as_str().rsplit('/').next().unwrap_or_default();
        if self.interrupt == Interrupt::Leaves || self.cancelling {
            let message = format!("left; job {number} goes on without you");
            let advice = format!("'wendyctl watch {number}' comes back to it");
            return Err(Failure::new(Exit::Cancelled, message).advise(advice));
        }
        self.cancelling = true;
        let cancelled = self.cancel().await;
        self.progress.say(&match cancelled {
            Ok(()) => "Stopping … (Ctrl-C again leaves without waiting)".to_owned(),
            Err(error) => {
                let why = Failure::from(error).message;
                format!(
                    "It cannot be stopped now: {}. Ctrl-C again leaves it.",
                    wendy_text::safe(&why)
                )
            }
        });
        Ok(None)
    }

    async fn cancel(&self) -> wendy_dbus::Result<()> {
        let job = JobProxy::new(self.bus.connection(), &self.path).await?;
        job.cancel(&NoOptions::default()).await
    }
}

impl End {
    fn from_signal(finished: &Finished) -> Result<Self, Failure> {
        let args = finished.args()?;
        Ok(Self {
            result: args.result.to_owned(),
            error: args.error.to_owned(),
            message: args.message.to_owned(),
            facts: args.facts.clone(),
        })
    }

    fn from_properties(job: &Job) -> Self {
        Self {
            result: job.state.clone(),
            error: job.error.clone(),
            message: job.message.clone(),
            facts: job.facts.clone(),
        }
    }

    fn into_result(self) -> Result<Facts, Failure> {
        match JobState::from_word(&self.result) {
            Some(JobState::Done) => Ok(self.facts),
            Some(JobState::Cancelled) if self.message.is_empty() => {
                Err(Failure::new(Exit::Cancelled, "cancelled"))
            }
            Some(JobState::Cancelled) => Err(Failure::new(Exit::Cancelled, self.message)),
            _ => Err(wendy_dbus::Error::from_name(&self.error, &self.message)
                .map_or_else(|| Failure::new(Exit::Failed, self.message), Failure::from)),
        }
    }
}

/// The end as JSON: the job's last state.
#[derive(Serialize)]
struct Event<'a> {
    event: &'static str,
    result: &'a str,
    job: Option<JobView<'a>>,
}

fn finish(output: &Output, job: Option<&Object<Job>>, end: End) -> Result<Facts, Failure> {
    let job = job.map(JobView::new);
    output.object(&Event {
        event: "finished",
        result: &end.result,
        job,
    })?;
    end.into_result()
}

fn daemon_lost() -> Failure {
    Failure::new(
        Exit::NoDaemon,
        "the daemon of wendy stopped before the job was over",
    )
    .advise("'journalctl -u wendyd' may say why")
}
