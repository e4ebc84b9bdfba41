//! `wendyctl watch`: sticks that come and go, jobs that begin and end, as it happens.
//!
//! Each time something moves, the whole picture is read anew and compared with the one before, so
//! that what is printed is always true together.

use futures_util::StreamExt;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use wendy_dbus::objects::Job;
use wendy_dbus::paths::{self, JobPath};
use wendy_dbus::words::{JobState, Word};
use wendy_text::{quoted, safe};
use zbus::OwnedObjectPath;

use crate::args;
use crate::bus::Bus;
use crate::commands::jobs;
use crate::error::{Exit, Failure};
use crate::follow;
use crate::output::views::{DeviceView, JobView, SessionView, StoreView};
use crate::output::{Output, progress};
use crate::resolve;
use crate::world::{Object, World};

/// What happened to one object; exactly one of the four is there.
#[derive(Serialize)]
struct Event<'a> {
    event: Happened,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<StoreView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobView<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Happened {
    Added,
    Changed,
    Removed,
}

#[derive(Serialize)]
struct StateView<'a> {
    event: &'static str,
    state: &'a str,
}

/// Follows one job, or everything until Ctrl-C.
pub async fn run(args: &args::Watch, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    match args.job {
        Some(number) => one_job(&bus, number, output).await,
        None => everything(&bus, output).await,
    }
}

async fn one_job(bus: &Bus, number: u64, output: &Output) -> Result<(), Failure> {
    let path = JobPath(number).to_path();
    if !bus.world().await?.jobs.iter().any(|job| job.path == path) {
        let message = format!("there is no job {number}");
        return Err(Failure::new(Exit::NotFound, message).advise("'wendyctl jobs' lists them"));
    }
    follow::watch(bus, output, path).await?;
    output.line(format!("Job {number} is done."))
}

async fn everything(bus: &Bus, output: &Output) -> Result<(), Failure> {
    let mut signals = bus.signals(paths::ROOT).await?;
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut departures = bus.departures().await?;
    let mut before = bus.world().await?;
    output.note("Watching, until Ctrl-C.");
    loop {
        tokio::select! {
            Some(_) = signals.recv() => {}
            _ = interrupts.recv() => return Ok(()),
            Some(_) = departures.next() => {
                return Err(Failure::new(Exit::NoDaemon, "the daemon of wendy has stopped"));
            }
        }
        while signals.try_recv().is_ok() {}
        let now = bus.world().await?;
        say_changes(&before, &now, output)?;
        before = now;
    }
}

fn say_changes(before: &World, now: &World, output: &Output) -> Result<(), Failure> {
    say_state(before, now, output)?;
    say_devices(before, now, output)?;
    say_stores(before, now, output)?;
    say_sessions(before, now, output)?;
    say_jobs(before, now, output)
}

fn say_state(before: &World, now: &World, output: &Output) -> Result<(), Failure> {
    let state = &now.system.state;
    if before.system.state == *state {
        return Ok(());
    }
    output.object(&StateView {
        event: "state",
        state,
    })?;
    output.line(format!("The state of your changes is now: {}", safe(state)))
}

fn say_devices(before: &World, now: &World, output: &Output) -> Result<(), Failure> {
    for (happened, device) in changes(&before.devices, &now.devices) {
        output.object(&Event {
            device: Some(DeviceView::new(device)),
            ..event(happened)
        })?;
        let what = format!("device {}", resolve::describe_device(device));
        say(output, happened, &what)?;
    }
    Ok(())
}

fn say_stores(before: &World, now: &World, output: &Output) -> Result<(), Failure> {
    for (happened, store) in changes(&before.stores, &now.stores) {
        output.object(&Event {
            store: Some(StoreView::new(store)),
            ..event(happened)
        })?;
        say(output, happened, &format!("store {}", quoted(&store.name)))?;
    }
    Ok(())
}

fn say_sessions(before: &World, now: &World, output: &Output) -> Result<(), Failure> {
    for (happened, session) in changes(&before.sessions, &now.sessions) {
        let world = if happened == Happened::Removed {
            before
        } else {
            now
        };
        output.object(&Event {
            session: Some(SessionView::new(world, session)),
            ..event(happened)
        })?;
        let what = format!("session {}", quoted(&session.name));
        say(output, happened, &what)?;
    }
    Ok(())
}

fn say_jobs(before: &World, now: &World, output: &Output) -> Result<(), Failure> {
    for (happened, job) in changes(&before.jobs, &now.jobs) {
        output.object(&Event {
            job: Some(JobView::new(job)),
            ..event(happened)
        })?;
        say_job(output, happened, job, find(&before.jobs, &job.path))?;
    }
    Ok(())
}

fn event<'a>(event: Happened) -> Event<'a> {
    Event {
        event,
        device: None,
        store: None,
        session: None,
        job: None,
    }
}

/// What was added or changed, as it is now, and what was removed, as it was.
fn changes<'a, T: PartialEq>(
    before: &'a [Object<T>],
    now: &'a [Object<T>],
) -> Vec<(Happened, &'a Object<T>)> {
    let removed = before.iter().filter(|old| find(now, &old.path).is_none());
    let others = now.iter().filter_map(|new| match find(before, &new.path) {
        None => Some((Happened::Added, new)),
        Some(old) if old != new => Some((Happened::Changed, new)),
        Some(_) => None,
    });
    removed
        .map(|old| (Happened::Removed, old))
        .chain(others)
        .collect()
}

fn find<'a, T>(objects: &'a [Object<T>], path: &OwnedObjectPath) -> Option<&'a Object<T>> {
    objects.iter().find(|object| object.path == *path)
}

fn say(output: &Output, happened: Happened, what: &str) -> Result<(), Failure> {
    let verb = match happened {
        Happened::Added => "new",
        Happened::Changed => "changed",
        Happened::Removed => "gone",
    };
    output.line(format!("{verb:<8} {what}"))
}

/// For people a job is news only when its phase or state changes.
fn say_job(
    output: &Output,
    happened: Happened,
    job: &Object<Job>,
    before: Option<&Object<Job>>,
) -> Result<(), Failure> {
    if before.is_some_and(|old| (&old.phase, &old.state) == (&job.phase, &job.state)) {
        return Ok(());
    }
    if happened == Happened::Removed {
        return Ok(());
    }
    let what = jobs::operation(job);
    let state = match JobState::from_word(&job.state) {
        Some(JobState::Done) => "done".to_owned(),
        Some(JobState::Failed) => format!("failed: {}", safe(&job.message)),
        Some(JobState::Cancelled) => "cancelled".to_owned(),
        _ => progress::phase(job),
    };
    output.line(format!("job {:<4} {what}: {state}", job.id()))
}
