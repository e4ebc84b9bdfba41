//! `wendyctl verify`: is what is on the medium what was written?

use serde::Serialize;
use wendy_dbus::facts::{CheckedSession, Facts};
use wendy_dbus::objects::{Session, Store};
use wendy_dbus::options::CheckOptions;
use wendy_dbus::proxies::StoreProxy;
use wendy_dbus::words::{Verdict, Word};
use wendy_text::{quoted, safe};

use crate::args;
use crate::bus::Bus;
use crate::error::{Exit, Failure};
use crate::follow;
use crate::output::{Output, units};
use crate::resolve::{self, Saved};
use crate::world::{Object, World, reference};

#[derive(Serialize)]
struct VerifiedView<'a> {
    event: &'static str,
    store: &'a str,
    entries: u64,
    bytes: u64,
    damaged: u64,
    sessions: Vec<CheckedView<'a>>,
}

#[derive(Serialize)]
struct CheckedView<'a> {
    id: Option<&'a str>,
    state: &'a str,
    damaged: u64,
}

/// One store to check, whole or one session of it.
type Check<'a> = (&'a Object<Store>, Option<&'a Object<Session>>);

/// Checks one after the other.
///
/// # Errors
///
/// `Damaged` when anything differs.
pub async fn run(args: &args::Verify, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    let world = bus.examined_world().await?;
    let mut damaged = 0;
    for (store, session) in checks(args, &world)? {
        let proxy = StoreProxy::new(bus.connection(), &store.path).await?;
        let options = CheckOptions {
            session: session.map(|session| session.path.clone()),
        };
        let facts = follow::run(&bus, output, proxy.check(&options)).await?;
        say(&world, store, &facts, output)?;
        damaged += facts.damaged.unwrap_or(0);
    }
    match damaged {
        0 => Ok(()),
        number => {
            let entries = units::things(number, "file differs", "files differ");
            let advice = "save again, to another stick if you can";
            Err(
                Failure::new(Exit::Damaged, format!("{entries} from what was saved"))
                    .advise(advice),
            )
        }
    }
}

fn checks<'a>(args: &args::Verify, world: &'a World) -> Result<Vec<Check<'a>>, Failure> {
    let within = args.store.as_deref();
    let checks: Vec<Check<'a>> = match (&args.what, within) {
        (Some(what), _) => match resolve::saved(world, what, within)? {
            Saved::Store(store) => vec![(store, None)],
            Saved::Session(session) => {
                let store = world.store(&session.store);
                store
                    .map(|store| (store, Some(session)))
                    .into_iter()
                    .collect()
            }
        },
        (None, Some(store)) => vec![(resolve::store(world, store)?, None)],
        (None, None) => {
            let ours = world
                .stores
                .iter()
                .filter(|store| store.foreign.is_empty() && !store.locked);
            ours.map(|store| (store, None)).collect()
        }
    };
    if checks.is_empty() {
        return Err(Failure::new(Exit::NotFound, "there is no store to verify"));
    }
    Ok(checks)
}

fn say(
    world: &World,
    store: &Object<Store>,
    facts: &Facts,
    output: &Output,
) -> Result<(), Failure> {
    let sessions = facts.sessions.as_deref().unwrap_or_default();
    output.object(&VerifiedView {
        event: "verified",
        store: store.id(),
        entries: facts.entries.unwrap_or(0),
        bytes: facts.bytes.unwrap_or(0),
        damaged: facts.damaged.unwrap_or(0),
        sessions: sessions.iter().map(CheckedView::new).collect(),
    })?;
    let entries = units::entries(facts.entries.unwrap_or(0));
    let bytes = units::size(facts.bytes.unwrap_or(0));
    output.line(format!("{}: {entries} read, {bytes}", quoted(&store.name)))?;
    sessions
        .iter()
        .try_for_each(|checked| output.line(format!("  {}", verdict(world, checked))))
}

fn verdict(world: &World, checked: &CheckedSession) -> String {
    let name = world
        .session(&checked.session)
        .map_or("", |session| session.name.as_str());
    let name = quoted(name);
    match Verdict::from_word(&checked.state) {
        Some(Verdict::Complete) => format!("{name} is as it was saved"),
        Some(Verdict::Damaged) => {
            format!(
                "{name} is damaged: {}",
                units::things(checked.damaged, "file differs", "files differ")
            )
        }
        Some(Verdict::Incomplete) => format!("{name} was never completed"),
        Some(Verdict::Continued) => {
            format!("{name} was booted and used since: its files are not compared")
        }
        None => format!("{name}: {}", safe(&checked.state)),
    }
}

impl<'a> CheckedView<'a> {
    fn new(checked: &'a CheckedSession) -> Self {
        let id = reference(&checked.session);
        Self {
            id,
            state: &checked.state,
            damaged: checked.damaged,
        }
    }
}
