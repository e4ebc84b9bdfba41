//! `wendyctl delete`: a session that is not wanted any more.

use serde::Serialize;
use wendy_dbus::options::NoOptions;
use wendy_dbus::proxies::SessionProxy;
use wendy_text::quoted;

use crate::args;
use crate::bus::Bus;
use crate::consent;
use crate::error::{Exit, Failure};
use crate::follow;
use crate::output::{Output, units};
use crate::resolve;
use crate::world::{Object, World};
use wendy_dbus::objects::Session;

const HOW_TO_AGREE: &str = "say --yes to delete it without being asked";

#[derive(Serialize)]
struct DeletedView<'a> {
    event: &'static str,
    id: &'a str,
    name: &'a str,
}

/// Asks and deletes.
pub async fn run(args: &args::Delete, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    let world = bus.examined_world().await?;
    let store = args.chosen.store.as_deref();
    let session = resolve::session(&world, &args.chosen.session, store)?;
    if !args.yes {
        ask(&world, session, output)?;
    }
    let proxy = SessionProxy::new(bus.connection(), &session.path).await?;
    follow::run(&bus, output, proxy.delete(&NoOptions::default())).await?;
    output.object(&DeletedView {
        event: "deleted",
        id: session.id(),
        name: &session.name,
    })?;
    output.line(format!("Deleted the session {}.", quoted(&session.name)))
}

fn ask(world: &World, session: &Object<Session>, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        let message = "--json cannot ask anybody, nothing was changed";
        return Err(Failure::new(Exit::NotAgreed, message).advise(HOW_TO_AGREE));
    }
    let name = quoted(&session.name);
    let store = world
        .store(&session.store)
        .map(|store| format!(" on {}", quoted(&store.name)));
    let size = units::size(session.size);
    let saved = units::moment(session.saved, units::now());
    output.note(format!(
        "This will be lost: the session {name}{}, {size}, saved {saved}",
        store.unwrap_or_default()
    ));
    consent::ask("Type yes to delete it:", &["yes"], HOW_TO_AGREE)
}
