//! From what a person typed to the one object that is meant.
//!
//! Only what the daemon shows is searched, never the filesystem. A name that fits more than one
//! object is refused with the choices: a guess could hit the wrong stick.

use wendy_dbus::objects::{Device, Session, Store};
use wendy_text::{quoted, safe};
use zbus::OwnedObjectPath;

use crate::error::{Exit, Failure};
use crate::world::{Object, World, short};

/// Shortest piece of an id that is looked up.
const SHORTEST_ID: usize = 6;

/// A device by node (`/dev/sda`), short name (`sda`), label or name of its store.
pub fn device<'a>(world: &'a World, name: &str) -> Result<&'a Object<Device>, Failure> {
    let fits = |device: &&Object<Device>| {
        let node = device.device_node.as_str();
        let labelled = || !device.label.is_empty() && device.label == name;
        let holds = || {
            world
                .store(&device.store)
                .is_some_and(|store| store.name == name)
        };
        node == name || (!name.is_empty() && (short(node) == name || labelled() || holds()))
    };
    let found: Vec<_> = world.devices.iter().filter(fits).collect();
    let missing = || missing_device(world, name);
    one(&found, name, "devices", missing, |device| {
        describe_device(device)
    })
}

/// A store by name, by device or by id.
pub fn store<'a>(world: &'a World, name: &str) -> Result<&'a Object<Store>, Failure> {
    let found = stores(world, name);
    let missing = || not_found("store", name, "'wendyctl sessions' lists the stores");
    one(&found, name, "stores", missing, |store| {
        describe_store(world, store)
    })
}

/// A session by name or id, in one store or in any.
pub fn session<'a>(
    world: &'a World,
    name: &str,
    store: Option<&str>,
) -> Result<&'a Object<Session>, Failure> {
    let found = sessions(world, name, store)?;
    let missing = || not_found("session", name, "'wendyctl sessions' lists them");
    one(&found, name, "sessions", missing, |session| {
        describe_session(world, session)
    })
}

/// A session or a store.
#[derive(Clone, Copy, Debug)]
pub enum Saved<'a> {
    /// A session.
    Session(&'a Object<Session>),
    /// A store.
    Store(&'a Object<Store>),
}

/// A session or a store by name or id; the option narrows where sessions are looked for.
pub fn saved<'a>(world: &'a World, name: &str, within: Option<&str>) -> Result<Saved<'a>, Failure> {
    let sessions = sessions(world, name, within)?
        .into_iter()
        .map(Saved::Session);
    let stores = stores(world, name)
        .into_iter()
        .filter(|_| within.is_none())
        .map(Saved::Store);
    let found: Vec<Saved<'a>> = sessions.chain(stores).collect();
    let missing = || not_found("session or store", name, "'wendyctl sessions' lists them");
    one(&found, name, "things", missing, |saved| match saved {
        Saved::Session(session) => describe_session(world, session),
        Saved::Store(store) => describe_store(world, store),
    })
}

/// A device in a few words: `sda (SanDisk Ultra, 16 GB)`.
pub fn describe_device(device: &Device) -> String {
    let size = crate::output::units::size(device.size);
    let product = product(device);
    let node = safe(short(&device.device_node));
    if product.is_empty() {
        format!("{node} ({size})")
    } else {
        format!("{node} ({product}, {size})")
    }
}

/// Vendor and model of a device, escaped; may be "".
pub fn product(device: &Device) -> String {
    safe(format!("{} {}", device.vendor.trim(), device.model.trim()).trim())
}

fn stores<'a>(world: &'a World, name: &str) -> Vec<&'a Object<Store>> {
    let fits = |store: &&Object<Store>| {
        store.name == name || is_id(&store.path, name) || is_on(world, store, name)
    };
    world.stores.iter().filter(fits).collect()
}

/// Whether this is the device the store is on, or the whole disk around it: who prepared `sda` need
/// not know that the store is on `sda1`.
fn is_on(world: &World, store: &Store, name: &str) -> bool {
    let Some(device) = world.device(&store.device) else {
        return false;
    };
    let disk = world.device(&device.parent);
    is_place(&device.device_node, name) || disk.is_some_and(|it| is_place(&it.device_node, name))
}

fn sessions<'a>(
    world: &'a World,
    name: &str,
    within: Option<&str>,
) -> Result<Vec<&'a Object<Session>>, Failure> {
    let within = within.map(|name| store(world, name)).transpose()?;
    let in_store = |session: &Session| within.is_none_or(|store| session.store == store.path);
    let fits = |s: &&Object<Session>| in_store(s) && (s.name == name || is_id(&s.path, name));
    Ok(world.sessions.iter().filter(fits).collect())
}

fn is_place(node: &str, name: &str) -> bool {
    !node.is_empty() && (node == name || short(node) == name)
}

fn is_id(path: &OwnedObjectPath, name: &str) -> bool {
    let id = path.as_str().rsplit('/').next().unwrap_or_default();
    name.len() >= SHORTEST_ID && id.starts_with(name)
}

fn one<T: Copy>(
    found: &[T],
    name: &str,
    kind: &str,
    missing: impl FnOnce() -> Failure,
    describe: impl Fn(T) -> String,
) -> Result<T, Failure> {
    match found {
        [] => Err(missing()),
        [only] => Ok(*only),
        several => {
            let choices: Vec<String> = several.iter().map(|choice| describe(*choice)).collect();
            let message = format!("{} {kind} are called {}", several.len(), quoted(name));
            let advice = format!("choose one of them: {}", choices.join("; "));
            Err(Failure::new(Exit::NotFound, message).advise(advice))
        }
    }
}

fn not_found(kind: &str, name: &str, advice: &str) -> Failure {
    let message = format!("there is no {kind} called {}", quoted(name));
    Failure::new(Exit::NotFound, message).advise(advice)
}

fn missing_device(world: &World, name: &str) -> Failure {
    let offered = world
        .devices
        .iter()
        .filter(|device| !device.system && !device.boot_medium);
    let choices: Vec<String> = offered.map(|device| describe_device(device)).collect();
    let advice = match choices.as_slice() {
        [] => "plug in a stick; 'wendyctl devices' shows it as soon as it is there".to_owned(),
        some => format!("there are: {}", some.join("; ")),
    };
    not_found("device", name, &advice)
}

fn describe_store(world: &World, store: &Object<Store>) -> String {
    format!(
        "store {} on {} (--store {})",
        quoted(&store.name),
        safe(world.place(store)),
        store.id()
    )
}

fn describe_session(world: &World, session: &Object<Session>) -> String {
    let place = world
        .store(&session.store)
        .map_or("", |store| world.place(store));
    format!(
        "session {} on {} (id {})",
        quoted(&session.name),
        safe(place),
        session.id()
    )
}
