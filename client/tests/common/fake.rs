//! A service that answers like the daemon, from a world that a test makes up.
//!
//! It knows the contract's wire format and nothing else: no device, no file, no authorization.

mod jobs;
mod service;
mod world;

use std::collections::HashMap;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::Notify;
use tokio::time::timeout;
use wendy_dbus::paths::{self, DevicePath};
use wendy_dbus::{BUS_NAME, Dict};
use zbus::{Connection, OwnedObjectPath};

use super::{PrivateBus, Ran};
pub use jobs::Course;
use service::serve;
pub use world::World;

const PATIENCE: Duration = Duration::from_secs(30);

/// The service on its bus.
pub struct Fake {
    pub bus: PrivateBus,
    world: Arc<Mutex<World>>,
    changed: Arc<Notify>,
    connection: Connection,
    runtime: tokio::runtime::Runtime,
}

impl Fake {
    pub fn start() -> Self {
        let bus = PrivateBus::start();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let world = Arc::new(Mutex::new(World::sample()));
        let changed = Arc::new(Notify::new());
        let connection = runtime.block_on(serve(bus.address(), world.clone(), changed.clone()));
        Self {
            bus,
            world,
            changed,
            connection,
            runtime,
        }
    }

    /// The world, to look at or to change.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.bus.run(args)
    }

    /// Waits until a call that begins like this has come in.
    pub fn wait_for_call(&self, beginning: &str) {
        let heard = async {
            loop {
                let notified = self.changed.notified();
                if self.world().has_heard(beginning) {
                    return;
                }
                notified.await;
            }
        };
        let patience = self
            .runtime
            .block_on(async { timeout(PATIENCE, heard).await });
        patience.unwrap_or_else(|_| panic!("nobody called {beginning}"));
    }

    /// Tells clients that an object came or went.
    pub fn announce(&self, signal: &str) {
        let path = OwnedObjectPath::try_from("/org/ubuntu/Wendy/devices/9").unwrap();
        let body = (path, HashMap::<String, Dict>::new());
        let manager = "org.freedesktop.DBus.ObjectManager";
        let emit = self
            .connection
            .emit_signal(None::<&str>, paths::ROOT, manager, signal, &body);
        self.runtime.block_on(emit).unwrap();
    }

    /// Leaves the bus, as a daemon that was stopped.
    pub fn leave(&self) {
        self.runtime
            .block_on(self.connection.release_name(BUS_NAME))
            .unwrap();
    }
}

/// Sends Ctrl-C to a process.
pub fn interrupt(child: &Child) {
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
}

/// A device path for tests.
pub fn device_path(seq: u64) -> String {
    DevicePath {
        disk_seq: seq,
        partition: None,
    }
    .to_string()
}
