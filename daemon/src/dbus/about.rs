//! What a call is about: looked up before the question to polkit, and again after the answer.

use wendy_dbus::{Error, words::Word};

use crate::{
    authority::{Details, rules::Circumstances},
    jobs::{JobId, Jobs},
    model::{DeviceId, SessionKey, StoreKey, World},
};

/// The objects and circumstances of one call.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) device: Option<DeviceId>,
    pub(super) store: Option<StoreKey>,
    pub(super) session: Option<SessionKey>,
    pub(super) job: Option<JobId>,
    /// A new name that the caller gives to something.
    pub(super) name: Option<String>,
    /// The result goes to the caller.
    pub(super) exported: bool,
}

impl About {
    pub(super) fn system() -> About {
        About::default()
    }

    pub(super) fn device(id: DeviceId) -> About {
        About {
            device: Some(id),
            ..About::default()
        }
    }

    pub(super) fn store(key: StoreKey) -> About {
        About {
            store: Some(key),
            ..About::default()
        }
    }

    pub(super) fn session(key: SessionKey) -> About {
        About {
            session: Some(key),
            ..About::default()
        }
    }

    pub(super) fn job(id: JobId) -> About {
        About {
            job: Some(id),
            ..About::default()
        }
    }

    pub(super) fn and_session(self, key: Option<SessionKey>) -> About {
        About {
            session: key,
            ..self
        }
    }

    pub(super) fn named(self, name: &str) -> About {
        About {
            name: Some(name.to_owned()),
            ..self
        }
    }

    pub(super) fn exported(self, exported: bool) -> About {
        About { exported, ..self }
    }

    /// What of it does not exist.
    pub(super) fn missing(&self, world: &World, jobs: &Jobs) -> Option<&'static str> {
        if self
            .device
            .is_some_and(|id| !world.devices.contains_key(&id))
        {
            return Some("device");
        }
        if self
            .store
            .is_some_and(|key| !world.stores.contains_key(&key))
        {
            return Some("store");
        }
        if self
            .session
            .is_some_and(|key| !world.sessions.contains_key(&key))
        {
            return Some("session");
        }
        let job_is_missing = self.job.is_some_and(|id| jobs.view(id).is_none());
        job_is_missing.then_some("job")
    }

    pub(super) fn circumstances(&self, world: &World, jobs: &Jobs, uid: u32) -> Circumstances {
        let own = |id| jobs.view(id).is_some_and(|job| job.uid == uid);
        Circumstances {
            removable_device: self.device.is_some_and(|id| is_removable(world, id)),
            exported: self.exported,
            own_job: self.job.is_some_and(own),
        }
    }

    pub(super) fn details(&self, world: &World, jobs: &Jobs) -> Details {
        let session = self.session.and_then(|key| world.sessions.get(&key));
        let store = self.store.or(session.map(|session| session.store));
        let store = store.and_then(|key| world.stores.get(&key));
        let device = self.device.or(store.map(|store| store.device));
        let device = device.and_then(|id| world.devices.get(&id));
        let job = self.job.and_then(|id| jobs.view(id));

        let mut details = Details::new();
        details = device.map_or(details.clone(), |device| details.with_device(device));
        details = store.map_or(details.clone(), |store| details.with_store(store));
        details = session.map_or(details.clone(), |session| details.with_session(session));
        if let Some(job) = job {
            details = details.with("operation", job.operation.word());
        }
        match &self.name {
            Some(name) => details.with("name", name),
            None => details,
        }
    }
}

/// Removable only if the whole drive is, and no part of the installed system.
fn is_removable(world: &World, id: DeviceId) -> bool {
    let parts = [id, id.whole_disk()];
    let known: Vec<_> = parts
        .iter()
        .filter_map(|id| world.devices.get(id))
        .collect();
    !known.is_empty()
        && known
            .iter()
            .all(|device| device.removable && !device.system)
}

pub(super) fn not_found(kind: &str) -> Error {
    Error::NotFound(format!("there is no such {kind}: list the {kind}s again"))
}

pub(super) fn gone(kind: &str) -> Error {
    Error::Gone(format!(
        "the {kind} went away meanwhile: list the {kind}s again"
    ))
}
