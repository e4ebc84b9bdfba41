//! `wendyctl status`: what will become of the changes.

use serde::Serialize;
use wendy_dbus::objects::{Session, System};
use wendy_dbus::words::{JobState, State, StateReason, Word};
use wendy_text::{quoted, safe};

use crate::bus::Bus;
use crate::error::Failure;
use crate::output::views::{JobView, SessionView};
use crate::output::{Output, progress, units};
use crate::world::{Object, World};

/// Part of the room for changes above which people are warned.
const NEARLY_FULL_PERCENT: u64 = 80;

#[derive(Serialize)]
struct StatusView<'a> {
    state: &'a str,
    reason: &'a str,
    message: &'a str,
    live_stack: &'a str,
    upper_kind: &'a str,
    base_image: &'a str,
    used: u64,
    size: u64,
    running_session: Option<SessionView<'a>>,
    running_session_name: &'a str,
    last_save: Option<SessionView<'a>>,
    jobs: Vec<JobView<'a>>,
    version: &'a str,
    capabilities: &'a [String],
}

/// Prints the state of the running system.
pub async fn run(output: &Output) -> Result<(), Failure> {
    let world = Bus::connect().await?.examined_world().await?;
    output.object(&view(&world))?;
    output.line(sentence(&world))?;
    if let Some(warning) = warning(&world.system) {
        output.line(warning)?;
    }
    if let Some(advice) = advice(&world) {
        output.line(advice)?;
    }
    say_jobs(&world, output)
}

fn view(world: &World) -> StatusView<'_> {
    let system = &world.system;
    let running = world.session(&system.running_session);
    StatusView {
        state: &system.state,
        reason: &system.state_reason,
        message: &system.state_message,
        live_stack: &system.live_stack,
        upper_kind: &system.upper_kind,
        base_image: &system.base_image,
        used: system.upper_used,
        size: system.upper_size,
        running_session: running.map(|session| SessionView::new(world, session)),
        running_session_name: &system.running_session_name,
        last_save: last_save(world).map(|session| SessionView::new(world, session)),
        jobs: world.jobs.iter().map(JobView::new).collect(),
        version: &system.version,
        capabilities: &system.capabilities,
    }
}

/// The last session that was saved from this start of the system.
fn last_save(world: &World) -> Option<&Object<Session>> {
    let own = world
        .sessions
        .iter()
        .filter(|session| session.saved_from_this_start);
    own.max_by_key(|session| session.saved)
}

/// What will become of the changes, in one sentence.
fn sentence(world: &World) -> String {
    let system = &world.system;
    let room = room(system);
    match State::from_word(&system.state) {
        Some(State::Volatile) if reason(system) == Some(StateReason::UnknownPlace) => {
            format!("Nobody knows where your changes are kept{room}: save them before shutdown.")
        }
        Some(State::Volatile) => because(
            &format!("Your changes are kept in memory only and will be lost at shutdown{room}"),
            system,
        ),
        Some(State::Persistent) => {
            format!(
                "Your changes are kept{} as you make them{room}.",
                kept_where(world)
            )
        }
        Some(State::ReadOnly) => because("Nothing can be changed on this system", system),
        Some(State::Full) => because(
            &format!("There is no room left for changes{room}: save now, or delete something"),
            system,
        ),
        Some(State::Failed) if reason(system) == Some(StateReason::MediumGone) => format!(
            "The medium that your changes are kept on was unplugged{}: what you change now is lost.",
            last_known(system)
        ),
        Some(State::Failed) => because("Changes cannot be kept or saved on this system", system),
        Some(State::NotLive) => because(
            "This is not a live system: what you change stays on its disk",
            system,
        ),
        None => format!(
            "This system is in a state that wendyctl does not know: {}.",
            safe(&system.state)
        ),
    }
}

fn room(system: &System) -> String {
    match system.upper_size {
        0 => String::new(),
        size => format!(
            " ({} of {} used)",
            units::size(system.upper_used),
            units::size(size)
        ),
    }
}

fn because(sentence: &str, system: &System) -> String {
    let cause = match reason(system) {
        Some(StateReason::NoRoom) => String::new(),
        Some(StateReason::NoMedium) => {
            "the boot line asks to keep them, but no medium for that was found".into()
        }
        Some(StateReason::ReadOnlyFilesystem) => {
            "the filesystem that they are kept on takes no more writes".into()
        }
        _ => safe(&system.state_message),
    };
    if cause.is_empty() {
        return format!("{sentence}.");
    }
    match sentence.strip_suffix(')') {
        Some(open) => format!("{open}; {cause})."),
        None => format!("{sentence} ({cause})."),
    }
}

fn reason(system: &System) -> Option<StateReason> {
    StateReason::from_word(&system.state_reason)
}

/// The session the system runs from, by the name it had when its store was last plugged in.
fn last_known(system: &System) -> String {
    match system.running_session_name.as_str() {
        "" => String::new(),
        name => format!(", with the session {} on it", quoted(name)),
    }
}

fn kept_where(world: &World) -> String {
    let Some(session) = world.session(&world.system.running_session) else {
        return match world.system.running_session_name.as_str() {
            "" => " on a medium".into(),
            name => format!(" in the session {}", quoted(name)),
        };
    };
    let store = world
        .store(&session.store)
        .map(|store| format!(" on {}", quoted(&store.name)));
    format!(
        " in the session {}{}",
        quoted(&session.name),
        store.unwrap_or_default()
    )
}

fn warning(system: &System) -> Option<String> {
    let changing = matches!(
        State::from_word(&system.state),
        Some(State::Volatile | State::Persistent)
    );
    let threshold = system.upper_size / 100 * NEARLY_FULL_PERCENT;
    let scarce = changing && system.upper_size > 0 && system.upper_used > threshold;
    let left = units::size(system.upper_size.saturating_sub(system.upper_used));
    scarce.then(|| {
        format!("Only {left} are left. When they are used up, nothing can be changed any more.")
    })
}

/// The next step for somebody whose changes would be lost.
fn advice(world: &World) -> Option<String> {
    if State::from_word(&world.system.state) != Some(State::Volatile) {
        return None;
    }
    if let Some(session) = last_save(world) {
        let (name, when) = (
            quoted(&session.name),
            units::moment(session.saved, units::now()),
        );
        return Some(format!(
            "What was there {when} is saved. To keep the rest, too: wendyctl save {name}"
        ));
    }
    let mut writable = world.stores.iter().filter(|store| store.writable);
    Some(match writable.next() {
        Some(store) => {
            format!(
                "To keep them on {}: wendyctl save NAME",
                quoted(&store.name)
            )
        }
        None => "To keep them, plug in a stick: wendyctl devices, then wendyctl prepare".into(),
    })
}

fn say_jobs(world: &World, output: &Output) -> Result<(), Failure> {
    for job in &world.jobs {
        let over = JobState::from_word(&job.state).is_some_and(JobState::is_final);
        if !over {
            let details = progress::details(job, units::now());
            output
                .line(format!("Job {}: {} {details}", job.id(), progress::phase(job)).trim_end())?;
        }
    }
    Ok(())
}
