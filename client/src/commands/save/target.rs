//! Where a session is saved, and under which name.

use wendy_dbus::objects::{Session, Store};
use wendy_text::{quoted, safe};

use crate::args;
use crate::error::{Exit, Failure};
use crate::resolve;
use crate::world::{Object, World};

/// Where to save and under which name.
pub struct Target<'a> {
    /// The store.
    pub store: &'a Object<Store>,
    /// The session that is updated; none for a new one.
    pub session: Option<&'a Object<Session>>,
    /// What the session will be called.
    pub name: &'a str,
}

/// What the command line means by it.
pub fn find<'a>(args: &'a args::Save, world: &'a World) -> Result<Target<'a>, Failure> {
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
