//! `wendyctl default`: which session a stock image boots from its store.

use serde::Serialize;
use wendy_dbus::proxies::StoreProxy;
use wendy_text::{quoted, safe};

use crate::args;
use crate::bus::Bus;
use crate::error::Failure;
use crate::output::Output;
use crate::resolve;

#[derive(Serialize)]
struct DefaultView<'a> {
    event: &'static str,
    id: &'a str,
    name: &'a str,
    kernel_parameters: &'a str,
}

/// Makes it the default and says how to boot it.
pub async fn run(args: &args::Default, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    let world = bus.examined_world().await?;
    let session = resolve::session(&world, &args.chosen.session, args.chosen.store.as_deref())?;
    let store = StoreProxy::new(bus.connection(), &session.store).await?;
    store.set_default(&session.path).await?;
    let world = bus.world_once(|world| world.is_default(session)).await?;
    let session = world.session(&session.path).unwrap_or(session);
    output.object(&DefaultView {
        event: "default",
        id: session.id(),
        name: &session.name,
        kernel_parameters: &session.kernel_parameters,
    })?;
    let name = quoted(&session.name);
    match session.kernel_parameters.as_str() {
        "" => output.line(format!("From now on, {name} is booted from its store.")),
        words => output.line(format!(
            "From now on, {name} is booted with: {}",
            safe(words)
        )),
    }
}
