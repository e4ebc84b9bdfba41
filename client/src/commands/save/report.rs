//! What was saved, and how to boot it.

use serde::Serialize;
use wendy_dbus::facts::Facts;
use wendy_text::{quoted, safe};

use super::target::Target;
use crate::error::Failure;
use crate::output::views::SessionView;
use crate::output::{Output, units};
use crate::world::World;

#[derive(Serialize)]
struct SavedView<'a> {
    event: &'static str,
    session: Option<SessionView<'a>>,
    entries: Option<u64>,
    bytes: Option<u64>,
    written_bytes: Option<u64>,
    changed_entries: Option<u64>,
    still_changing: Option<u64>,
    default: Option<bool>,
    kernel_parameters: Option<&'a str>,
    warnings: &'a [String],
}

/// Says what was saved in `took` seconds, and what should be seen to.
pub fn show(
    world: &World,
    target: &Target<'_>,
    facts: &Facts,
    took: u64,
    output: &Output,
) -> Result<(), Failure> {
    output.object(&view(world, facts))?;
    let name = quoted(target.name);
    let place = quoted(&target.store.name);
    output.line(format!(
        "Saved {name} on {place}{} in {}.",
        amounts(facts),
        units::span(took)
    ))?;
    for warning in facts.warnings.iter().flatten() {
        output.line(format!("Note: {}.", caution(warning, facts)))?;
    }
    say_how_to_boot(target, facts, output)
}

fn view<'a>(world: &'a World, facts: &'a Facts) -> SavedView<'a> {
    let session = facts.session.as_ref().and_then(|path| world.session(path));
    SavedView {
        event: "saved",
        session: session.map(|session| SessionView::new(world, session)),
        entries: facts.entries,
        bytes: facts.bytes,
        written_bytes: facts.written_bytes,
        changed_entries: facts.changed_entries,
        still_changing: facts.still_changing,
        default: facts.default,
        kernel_parameters: facts.kernel_parameters.as_deref(),
        warnings: facts.warnings.as_deref().unwrap_or_default(),
    }
}

fn amounts(facts: &Facts) -> String {
    let (Some(entries), Some(bytes)) = (facts.entries, facts.bytes) else {
        return String::new();
    };
    let whole = format!(": {}, {}", units::entries(entries), units::size(bytes));
    match facts.written_bytes {
        Some(written) if written != bytes => format!("{whole} ({} written)", units::size(written)),
        _ => whole,
    }
}

fn caution(warning: &str, facts: &Facts) -> String {
    match warning {
        "database-open" => {
            "a database was open while it was copied; close the program and save again to be sure"
                .into()
        }
        "still-changing" => {
            let files = units::things(facts.still_changing.unwrap_or(0), "file", "files");
            format!("{files} kept changing while they were copied; save again when it is quiet")
        }
        "not-compared" => {
            "it was cancelled when nearly all was safe; what programs changed through mapped \
             memory may be missing; save again to be sure"
                .into()
        }
        "not-default" => {
            "this store boots another session by default; 'wendyctl default' changes that".into()
        }
        other => safe(other),
    }
}

fn say_how_to_boot(target: &Target<'_>, facts: &Facts, output: &Output) -> Result<(), Failure> {
    match facts.kernel_parameters.as_deref() {
        None | Some("") if facts.default == Some(false) => {
            let make = format!("wendyctl default {}", quoted(target.name));
            output.line(format!("To boot it, make it the default: {make}"))
        }
        None | Some("") => Ok(()),
        Some(parameters) => {
            let how =
                "To carry on from here, start the same image with this on its kernel command line:";
            output.line(how)?;
            output.line(format!("    {}", safe(parameters)))
        }
    }
}
