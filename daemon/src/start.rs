//! Puts the rooms together: first look at the machine, then let others ask.

use std::{path::Path, sync::Arc};

use anyhow::Context;

use crate::{
    authority::PolkitAuthority,
    config::{self, Config},
    devices::{Monitor, Running},
    engine::{self, Engine, LiveSystem, OwnSaves, UpperSource},
    jobs::Jobs,
    model::{Hub, SessionKey},
    probe::Prober,
    run::Rooms,
    stacks::{self, Live, Persistence},
    stores::discover::Discovery,
};

/// Threads that work for as long as this lives.
#[derive(Debug)]
pub struct Watchers {
    _monitor: Monitor,
    _discovery: Discovery,
}

/// Looks at the running system and at what is plugged in, and keeps looking.
///
/// # Errors
/// If the kernel or udev cannot be asked, `wendy-probe` is not installed, or no thread can be
/// started.
pub fn start() -> anyhow::Result<(Rooms, Watchers)> {
    let config = Config::read(Path::new(config::PATH));
    let (hub, jobs) = (Hub::new(), Jobs::new());
    let settings = engine::Config::default();
    let found = stacks::detect();
    hub.update(|world| world.live = stacks::live_state(found.as_ref()));
    let running = found.as_ref().map(devices_of).unwrap_or_default();
    let source = Arc::new(LiveSystem::new(found));
    hub.update(|world| world.live.running_session = running_session(&*source));
    OwnSaves::new(&settings.own_saves, hub.clone()).recall();
    let (devices, monitor) =
        Monitor::start(hub.clone(), running).context("cannot watch the devices")?;
    let prober = Prober::installed().context("cannot find wendy-probe")?;
    let discovery = Discovery::start(hub.clone(), devices, prober, config.adoption)
        .context("cannot look for stores")?;
    let engine = Engine::new(hub.clone(), jobs.clone(), source, settings);
    let rooms = Rooms {
        hub,
        jobs,
        operations: Arc::new(engine),
        authority: Arc::new(PolkitAuthority),
    };
    Ok((
        rooms,
        Watchers {
            _monitor: monitor,
            _discovery: discovery,
        },
    ))
}

fn running_session(source: &dyn UpperSource) -> Option<SessionKey> {
    let started_from = source.open().ok()?.started_from?;
    Some(SessionKey::new(started_from.session))
}

/// The devices that the running system needs.
fn devices_of(live: &Live) -> Running {
    let layers = live.layers.iter().filter_map(stacks::Layer::device);
    let upper = match live.persistence {
        Persistence::Kept { device, .. } => Some(device),
        Persistence::Volatile | Persistence::Unknown => None,
    };
    Running {
        boot_medium: live.boot_medium.iter().copied().collect(),
        system: layers.chain(upper).collect(),
    }
}
