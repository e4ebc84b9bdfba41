//! How far a job is: a bar on a terminal, a line per phase elsewhere, an object per change as JSON.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use wendy_dbus::objects::Job;
use wendy_dbus::words::{Phase, Word};
use wendy_text::safe;

use crate::error::Failure;
use crate::output::views::JobView;
use crate::output::{Output, units};
use crate::world::Object;

/// Steps of the bar; fine enough for any terminal.
const STEPS: u64 = 1000;

/// Shows one job.
#[derive(Debug)]
pub struct Progress {
    output: Output,
    bar: Option<ProgressBar>,
    phase: String,
}

/// A job's progress as JSON.
#[derive(Serialize)]
struct Event<'a> {
    event: &'static str,
    job: JobView<'a>,
}

impl Progress {
    /// Nothing shown yet.
    pub fn new(output: &Output) -> Self {
        Self {
            output: *output,
            bar: output.has_bars().then(bar),
            phase: String::new(),
        }
    }

    /// Shows the job as it is now.
    pub fn show(&mut self, job: &Object<Job>) -> Result<(), Failure> {
        self.output.object(&Event {
            event: "progress",
            job: JobView::new(job),
        })?;
        match &self.bar {
            Some(bar) => draw(bar, job),
            None => self.say_phase(job),
        }
        Ok(())
    }

    /// Says something without disturbing the bar.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.output.note(text),
        }
    }

    fn say_phase(&mut self, job: &Job) {
        if job.phase != self.phase && !job.phase.is_empty() {
            self.phase.clone_from(&job.phase);
            self.output.note(format!("{} …", phase(job)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What a job does now, in words.
pub fn phase(job: &Job) -> String {
    let known = match Phase::from_word(&job.phase) {
        Some(Phase::Inspecting) => "Looking again",
        Some(Phase::Wiping) => "Wiping",
        Some(Phase::Partitioning) => "Partitioning",
        Some(Phase::Allocating) => "Making room",
        Some(Phase::Formatting) => "Making the filesystem",
        Some(Phase::Mounting) => "Opening",
        Some(Phase::Measuring) => "Measuring",
        Some(Phase::Copying) => "Copying",
        Some(Phase::SecondPass) => "Copying what changed meanwhile",
        Some(Phase::Removing) => "Clearing up",
        Some(Phase::Comparing) => "Comparing",
        Some(Phase::Syncing) => "Writing to the medium",
        Some(Phase::Committing) => "Finishing",
        Some(Phase::Settling) => "Waiting for the system to notice",
        Some(Phase::RollingBack) => "Undoing",
        None if job.phase.is_empty() => "Starting",
        None => return safe(&job.phase),
    };
    known.to_owned()
}

/// How much is done and what is left: `12 MB of 31 MB, 8.1 MB/s, 3 s left`.
pub fn details(job: &Job, now: i64) -> String {
    let mut details = Vec::new();
    if job.bytes_total > 0 {
        let done = units::size(job.bytes_done.min(job.bytes_total));
        details.push(format!("{done} of {}", units::size(job.bytes_total)));
    }
    if job.rate > 0 {
        details.push(format!("{}/s", units::size(job.rate)));
    }
    if let Ok(left @ 1..) = u64::try_from(job.expected_end.saturating_sub(now)) {
        details.push(format!("{} left", units::span(left)));
    }
    details.join(", ")
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {percent:>3}%  {msg}");
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
    bar.with_style(style.expect("the template is valid").progress_chars("=> "))
}

fn draw(bar: &ProgressBar, job: &Job) {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to steps"
    )]
    let position = (job.progress.clamp(0.0, 1.0) * 1000.0) as u64;
    bar.set_position(position);
    bar.set_prefix(phase(job));
    bar.set_message(details(job, units::now()));
}
