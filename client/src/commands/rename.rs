//! `wendyctl rename`: another name for a session or a store.

use serde::Serialize;
use wendy_dbus::proxies::{SessionProxy, StoreProxy};
use wendy_text::quoted;

use crate::args;
use crate::bus::Bus;
use crate::error::Failure;
use crate::output::Output;
use crate::resolve::{self, Saved};

#[derive(Serialize)]
struct RenamedView<'a> {
    event: &'static str,
    kind: &'static str,
    id: &'a str,
    old_name: &'a str,
    name: &'a str,
}

/// Renames it.
pub async fn run(args: &args::Rename, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    let world = bus.examined_world().await?;
    let found = resolve::saved(&world, &args.what, args.store.as_deref())?;
    let (kind, id, old_name) = match found {
        Saved::Session(session) => {
            let proxy = SessionProxy::new(bus.connection(), &session.path).await?;
            proxy.rename(&args.name).await?;
            ("session", session.id(), session.name.as_str())
        }
        Saved::Store(store) => {
            let proxy = StoreProxy::new(bus.connection(), &store.path).await?;
            proxy.rename(&args.name).await?;
            ("store", store.id(), store.name.as_str())
        }
    };
    output.object(&RenamedView {
        event: "renamed",
        kind,
        id,
        old_name,
        name: &args.name,
    })?;
    output.line(format!(
        "The {kind} {} is now {}.",
        quoted(old_name),
        quoted(&args.name)
    ))
}
