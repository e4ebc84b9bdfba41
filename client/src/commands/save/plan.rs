//! The plan of a save in words.

use serde::Serialize;
use wendy_dbus::plans::SavePlan;
use wendy_text::{quoted, safe};

use super::target::Target;
use crate::error::Failure;
use crate::output::views::SavePlanView;
use crate::output::{Output, units};

/// Patterns that people are shown; what cannot travel is a long list.
const SHOWN_PATTERNS: usize = 6;

/// How room is made, and at which price.
const OVERWRITING: &str =
    "--overwrite: the last save is removed first, and lost if this one is interrupted";

#[derive(Serialize)]
struct PlanView<'a> {
    plan: SavePlanView<'a>,
}

/// Says what would be written, and whether it fits.
pub fn show(target: &Target<'_>, plan: &SavePlan, output: &Output) -> Result<(), Failure> {
    output.object(&PlanView {
        plan: SavePlanView::new(plan),
    })?;
    output.line(changes(target, plan))?;
    say_room(plan, output)?;
    if let Some(seconds) = plan.seconds {
        output.line(format!("It takes about {}.", units::span(seconds)))?;
    }
    say_left_out(&plan.exclude, output)
}

/// Names the way to make room, if there is one.
pub fn way_out(failure: Failure, plan: Option<&SavePlan>) -> Failure {
    if plan.is_some_and(|plan| plan.fits_overwriting == Some(true)) {
        failure.advise(format!("or use {OVERWRITING}"))
    } else {
        failure
    }
}

fn changes(target: &Target<'_>, plan: &SavePlan) -> String {
    let verb = if target.session.is_some() {
        "update"
    } else {
        "save"
    };
    let entries = units::entries(plan.changed_entries);
    let bytes = units::size(plan.changed_bytes);
    let place = quoted(&target.store.name);
    let name = quoted(&plan.name);
    format!("It would {verb} {name} on {place}: {entries} to write, {bytes}.")
}

fn say_room(plan: &SavePlan, output: &Output) -> Result<(), Failure> {
    let (space, free) = (units::size(plan.space), units::size(plan.free));
    let verdict = if plan.fits {
        "there is room"
    } else {
        "that is too little"
    };
    output.line(format!(
        "It needs {space} of {free} that are free: {verdict}."
    ))?;
    if plan.fits_overwriting == Some(true) {
        output.line(format!("There is room with {OVERWRITING}."))?;
    }
    Ok(())
}

fn say_left_out(patterns: &[String], output: &Output) -> Result<(), Failure> {
    let shown: Vec<String> = patterns
        .iter()
        .take(SHOWN_PATTERNS)
        .map(|left| safe(left))
        .collect();
    let more = match patterns.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more (--json lists them)"),
    };
    if shown.is_empty() {
        return Ok(());
    }
    output.line(format!("Left out: {}{more}", shown.join(", ")))
}
