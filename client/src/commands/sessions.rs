//! `wendyctl sessions`: what is saved, store by store.

use serde::Serialize;
use wendy_dbus::objects::{Session, Store};
use wendy_dbus::words::{Problem, SessionState, Word};
use wendy_text::{quoted, safe};

use crate::args;
use crate::bus::Bus;
use crate::error::Failure;
use crate::output::table::{Align, Table};
use crate::output::views::{SessionView, StoreView};
use crate::output::{Output, units};
use crate::resolve;
use crate::world::{Object, World};

#[derive(Serialize)]
struct SessionsView<'a> {
    stores: Vec<StoreView<'a>>,
    sessions: Vec<SessionView<'a>>,
}

/// Prints stores and their sessions.
pub async fn run(args: &args::Sessions, output: &Output) -> Result<(), Failure> {
    let world = Bus::connect().await?.examined_world().await?;
    let chosen = args
        .store
        .as_deref()
        .map(|name| resolve::store(&world, name))
        .transpose()?;
    let stores: Vec<_> = match chosen {
        Some(store) => vec![store],
        None => world.stores.iter().collect(),
    };
    output.object(&view(&world, &stores))?;
    if stores.is_empty() {
        output.line("There is no store. Plug in a stick; 'wendyctl prepare' makes one.")?;
    }
    stores
        .iter()
        .try_for_each(|store| print_store(&world, store, output))
}

fn view<'a>(world: &'a World, stores: &[&'a Object<Store>]) -> SessionsView<'a> {
    let sessions = stores.iter().flat_map(|store| world.sessions_in(store));
    SessionsView {
        stores: stores.iter().map(|store| StoreView::new(store)).collect(),
        sessions: sessions
            .map(|session| SessionView::new(world, session))
            .collect(),
    }
}

fn print_store(world: &World, store: &Object<Store>, output: &Output) -> Result<(), Failure> {
    output.line(title(world, store))?;
    let sessions: Vec<_> = world.sessions_in(store).collect();
    if !sessions.is_empty() {
        output.table(&table(world, &sessions))?;
    } else if store.foreign.is_empty() && store.problem.is_empty() && !store.locked {
        output.line("  no sessions yet: wendyctl save NAME")?;
    }
    Ok(())
}

/// A store in a line: `"My stick" on sda1: 6.2 GB of 8.0 GB free`.
fn title(world: &World, store: &Object<Store>) -> String {
    let name = match store.name.as_str() {
        "" => "store without a name".into(),
        name => quoted(name),
    };
    let place = safe(world.place(store));
    if !store.foreign.is_empty() {
        return format!(
            "{name} on {place}: {}, not made by wendy",
            safe(&store.foreign)
        );
    }
    if store.locked {
        return format!("{name} on {place}: locked");
    }
    let problem = match store.problem.as_str() {
        "" => String::new(),
        problem => format!(", {}", problem_words(problem)),
    };
    let (free, size) = (units::size(store.free), units::size(store.size));
    format!("{name} on {place}: {free} of {size} free{problem}")
}

fn problem_words(problem: &str) -> String {
    match Problem::from_word(problem) {
        Some(Problem::ReadOnly) => "write-protected".into(),
        Some(Problem::NewerFormat) => "made by a newer wendy, can only be read".into(),
        Some(Problem::Corrupt) => "its record is damaged".into(),
        Some(Problem::Dirty) => "its filesystem needs a check".into(),
        Some(Problem::Unreadable) => "cannot be read".into(),
        None => safe(problem),
    }
}

fn table(world: &World, sessions: &[&Object<Session>]) -> Table {
    let mut table = Table::new(&[
        ("  SESSION", Align::Left),
        ("SIZE", Align::Right),
        ("SAVED", Align::Left),
        ("STATE", Align::Left),
        ("ID", Align::Left),
    ]);
    let now = units::now();
    for session in sessions {
        table.row([
            format!("  {}", safe(&session.name)),
            units::size(session.size),
            units::moment(session.saved, now),
            state(world, session),
            session.id().chars().take(8).collect(),
        ]);
    }
    table
}

/// How a session is, in a few words.
pub fn state(world: &World, session: &Object<Session>) -> String {
    let mut words = vec![match SessionState::from_word(&session.state) {
        Some(SessionState::Complete) => "complete".to_owned(),
        Some(SessionState::Incomplete) => "never completed".to_owned(),
        Some(SessionState::Running) => "running".to_owned(),
        None => safe(&session.state),
    }];
    if world.is_default(session) {
        words.push("default".into());
    }
    if !session.compatible {
        words.push("of another image".into());
    }
    words.join(", ")
}
