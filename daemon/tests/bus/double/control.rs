//! Where a test takes hold of the double.

use std::sync::Arc;

use wendyd::model::{Condition, Hub, Reason, State};
use zbus::interface;

use super::{
    Double,
    world::{SESSION, STICK},
};

pub(super) struct Control {
    pub(super) hub: Hub,
    pub(super) double: Arc<Double>,
}

/// Steers the double from the test's process.
#[interface(
    name = "org.ubuntu.WendyTest",
    proxy(default_service = "org.ubuntu.WendyTest", default_path = "/")
)]
impl Control {
    /// What reached the double.
    fn calls(&self) -> Vec<String> {
        self.double.calls.lock().unwrap().clone()
    }

    /// Pulls the stick out.
    fn unplug(&self) {
        self.hub.update(|world| {
            world.sessions.clear();
            world.stores.clear();
            world.devices.remove(&STICK);
        });
    }

    /// Lets the medium with the changes fail, without a word to anybody.
    fn fail(&self) {
        *self.double.condition.lock().unwrap() = Some(Condition {
            state: State::ReadOnly,
            reason: Some(Reason::ReadOnlyFilesystem),
            message: "no more writes".to_owned(),
        });
    }

    /// Lets the system run from the session on the stick.
    fn run_from_session(&self) {
        self.hub.update(|world| {
            world.live.running_session = Some(SESSION);
            world.live.running_name = world.sessions[&SESSION].name.clone();
        });
    }

    /// Lets all jobs go on, now and later.
    fn release(&self) {
        self.double.gate.open();
    }
}
