//! `wendyctl save`: keep the running session under a name.

use serde::Serialize;
use wendy_dbus::facts::Facts;
use wendy_dbus::objects::{Session, Store};
use wendy_dbus::options::SaveOptions;
use wendy_dbus::plans::SavePlan;
use wendy_text::{quoted, safe};

use crate::args;
use crate::bus::Bus;
use crate::error::{Exit, Failure};
use crate::follow;
use crate::output::views::{SavePlanView, SessionView};
use crate::output::{Output, units};
use crate::resolve;
use crate::world::{Object, World};

/// Patterns that people are shown; what cannot travel is a long list.
const SHOWN_PATTERNS: usize = 6;

#[derive(Serialize)]
struct PlanView<'a> {
    plan: SavePlanView<'a>,
}

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

/// Where to save and under which name.
struct Target<'a> {
    store: &'a Object<Store>,
    session: Option<&'a Object<Session>>,
    name: &'a str,
}

/// Saves and says what was saved and how to boot it.
pub async fn run(args: &args::Save, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    let world = bus.examined_world().await?;
    let target = target(args, &world)?;
    let options = options(args, &target);
    let wendy = bus.wendy().await?;
    if args.dry_run {
        let plan = wendy
            .plan_save(&target.store.path, target.name, &options)
            .await?;
        return show(&target, &plan, output);
    }
    let begun = units::now();
    let save = wendy.save_session(&target.store.path, target.name, &options);
    let facts = match follow::run(&bus, output, save).await {
        Err(failure) if failure.exit == Exit::NoSpace && !args.overwrite => {
            let plan = wendy.plan_save(&target.store.path, target.name, &options);
            return Err(way_out(failure, plan.await.ok().as_ref()));
        }
        other => other?,
    };
    let took = u64::try_from(units::now() - begun).unwrap_or(0);
    let session = facts.session.as_ref();
    let shown = |world: &World| session.is_none_or(|path| world.session(path).is_some());
    report(&bus.world_once(shown).await?, &target, &facts, took, output)
}

fn target<'a>(args: &'a args::Save, world: &'a World) -> Result<Target<'a>, Failure> {
    if let Some(session) = &args.session {
        let session = resolve::session(world, session, args.store.as_deref())?;
        let store = store_of(world, session)?;
        let name = args.name.as_deref().unwrap_or(&session.name);
        return Ok(Target {
            store,
            session: Some(session),
            name,
        });
    }
    let name = args.name.as_deref().unwrap_or_default();
    let store = match &args.store {
        Some(store) => resolve::store(world, store)?,
        None => usual_store(world)?,
    };
    let session = namesake(world, store, name)?;
    Ok(Target {
        store,
        session,
        name,
    })
}

/// The only store there is, or the one the system runs from.
fn usual_store(world: &World) -> Result<&Object<Store>, Failure> {
    let writable: Vec<_> = world.stores.iter().filter(|store| store.writable).collect();
    let running = world.session(&world.system.running_session);
    let home = writable
        .iter()
        .find(|store| running.is_some_and(|s| s.store == store.path));
    match (home, writable.as_slice()) {
        (Some(home), _) => Ok(home),
        (None, [only]) => Ok(only),
        (None, []) => Err(no_store(world)),
        (None, several) => {
            let place = |store: &Object<Store>| {
                format!("{} on {}", quoted(&store.name), safe(world.place(store)))
            };
            let places: Vec<String> = several.iter().copied().map(place).collect();
            let message = format!("there are {} stores to save to", several.len());
            let advice = format!(
                "choose one with --store NAME or DEVICE: {}",
                places.join(", ")
            );
            Err(Failure::new(Exit::NotFound, message).advise(advice))
        }
    }
}

fn no_store(world: &World) -> Failure {
    let Some(store) = world.stores.first() else {
        let advice = "plug in a stick and run 'wendyctl prepare' first";
        return Failure::new(Exit::NotFound, "there is no store to save to").advise(advice);
    };
    let why = if store.foreign.is_empty() {
        &store.problem
    } else {
        &store.foreign
    };
    let message = format!(
        "nothing can be saved to {} ({})",
        quoted(&store.name),
        safe(why)
    );
    Failure::new(Exit::Impossible, message).advise("'wendyctl prepare' makes a store")
}

fn store_of<'a>(world: &'a World, session: &Session) -> Result<&'a Object<Store>, Failure> {
    let gone = || {
        Failure::new(
            Exit::Gone,
            "the store of this session is not there any more",
        )
    };
    world.store(&session.store).ok_or_else(gone)
}

/// The session of this name, if this system grew out of it: saving again under a name updates it.
///
/// A session of that name from another start of the system holds other work. It is replaced only by
/// somebody who says so with --session.
fn namesake<'a>(
    world: &'a World,
    store: &Object<Store>,
    name: &str,
) -> Result<Option<&'a Object<Session>>, Failure> {
    let Some(session) = world
        .sessions
        .iter()
        .find(|s| s.store == store.path && s.name == name)
    else {
        return Ok(None);
    };
    let running = world.system.running_session == session.path;
    if running || session.saved_from_this_start {
        return Ok(Some(session));
    }
    let message = format!(
        "{} already holds a session {}, and this system did not start from it",
        quoted(&store.name),
        quoted(name)
    );
    let advice = format!(
        "choose another name, or replace what it holds: wendyctl save --session {}",
        quoted(name)
    );
    Err(Failure::new(Exit::NotAgreed, message).advise(advice))
}

fn options(args: &args::Save, target: &Target<'_>) -> SaveOptions {
    SaveOptions {
        session: target.session.map(|session| session.path.clone()),
        default: args.default.then_some(true),
        exclude: (!args.exclude.is_empty()).then(|| args.exclude.clone()),
        quiesce: None,
        overwrite: args.overwrite.then_some(true),
    }
}

fn show(target: &Target<'_>, plan: &SavePlan, output: &Output) -> Result<(), Failure> {
    output.object(&PlanView {
        plan: SavePlanView::new(plan),
    })?;
    let verb = if target.session.is_some() {
        "update"
    } else {
        "save"
    };
    let entries = units::entries(plan.changed_entries);
    let bytes = units::size(plan.changed_bytes);
    let place = quoted(&target.store.name);
    let name = quoted(&plan.name);
    output.line(format!(
        "It would {verb} {name} on {place}: {entries} to write, {bytes}."
    ))?;
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
    if let Some(seconds) = plan.seconds {
        output.line(format!("It takes about {}.", units::span(seconds)))?;
    }
    say_left_out(&plan.exclude, output)
}

/// How room is made, and at which price.
const OVERWRITING: &str =
    "--overwrite: the last save is removed first, and lost if this one is interrupted";

fn way_out(failure: Failure, plan: Option<&SavePlan>) -> Failure {
    if plan.is_some_and(|plan| plan.fits_overwriting == Some(true)) {
        failure.advise(format!("or use {OVERWRITING}"))
    } else {
        failure
    }
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

fn report(
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
