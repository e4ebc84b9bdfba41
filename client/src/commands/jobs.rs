//! `wendyctl jobs`: what is at work or was lately.

use serde::Serialize;
use wendy_dbus::objects::Job;
use wendy_dbus::options::NoOptions;
use wendy_dbus::paths::JobPath;
use wendy_dbus::proxies::JobProxy;
use wendy_dbus::words::{JobState, Operation, Word};
use wendy_text::safe;

use crate::args;
use crate::bus::Bus;
use crate::error::{Exit, Failure};
use crate::output::table::{Align, Table};
use crate::output::views::JobView;
use crate::output::{Output, progress, units};
use crate::world::World;

#[derive(Serialize)]
struct JobsView<'a> {
    jobs: Vec<JobView<'a>>,
}

#[derive(Serialize)]
struct CancelledView {
    event: &'static str,
    job: String,
}

/// Prints the jobs, or cancels one.
pub async fn run(args: &args::Jobs, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    if let Some(number) = args.cancel {
        cancel(&bus, number).await?;
        output.object(&CancelledView {
            event: "cancelling",
            job: number.to_string(),
        })?;
        return output.line(format!("Job {number} was asked to stop."));
    }
    let world = bus.world().await?;
    output.object(&JobsView {
        jobs: world.jobs.iter().map(JobView::new).collect(),
    })?;
    if world.jobs.is_empty() {
        return output.line("Nothing is at work.");
    }
    output.table(&table(&world))
}

async fn cancel(bus: &Bus, number: u64) -> Result<(), Failure> {
    let path = JobPath(number).to_path();
    let world = bus.world().await?;
    let Some(known) = world.jobs.iter().find(|job| job.path == path) else {
        let message = format!("there is no job {number}");
        return Err(Failure::new(Exit::NotFound, message).advise("'wendyctl jobs' lists them"));
    };
    if JobState::from_word(&known.state).is_some_and(JobState::is_final) {
        let message = format!("job {number} is over already");
        return Err(Failure::new(Exit::Failed, message).advise("'wendyctl jobs' says how it ended"));
    }
    let job = JobProxy::new(bus.connection(), &path).await?;
    Ok(job.cancel(&NoOptions::default()).await?)
}

fn table(world: &World) -> Table {
    let mut table = Table::new(&[
        ("JOB", Align::Right),
        ("WHAT", Align::Left),
        ("STARTED", Align::Left),
        ("STATE", Align::Left),
    ]);
    let now = units::now();
    for job in &world.jobs {
        let started = units::moment(job.started, now);
        table.row([
            job.id().to_owned(),
            operation(job),
            started,
            state(job, now),
        ]);
    }
    table
}

/// What a job is for, in words.
pub fn operation(job: &Job) -> String {
    match Operation::from_word(&job.operation) {
        Some(Operation::PrepareDevice) => "prepare a device".into(),
        Some(Operation::SaveSession) => "save a session".into(),
        Some(Operation::DeleteSession) => "delete a session".into(),
        Some(Operation::CheckStore) => "verify a store".into(),
        Some(Operation::SwitchUpperLayer) => "switch to a session".into(),
        Some(Operation::Snapshot) => "write a snapshot".into(),
        Some(Operation::ResizeStore) => "resize a store".into(),
        None => safe(&job.operation),
    }
}

fn state(job: &Job, now: i64) -> String {
    match JobState::from_word(&job.state) {
        Some(JobState::Done) => "done".into(),
        Some(JobState::Cancelled) => "cancelled".into(),
        Some(JobState::Failed) => format!("failed: {}", safe(&job.message)),
        _ => format!("{} {}", progress::phase(job), progress::details(job, now))
            .trim_end()
            .into(),
    }
}
