//! Checking as the bus asks for it.

use wendy_dbus::words::Word;

use crate::{
    engine::{Engine, Result, lookup, manage},
    jobs::{Fact, Facts, JobHandle, ObjectId},
    model::{DeviceId, SessionKey, StoreKey},
    stores::{OpenStore, Saved, shown},
};

impl Engine {
    pub(super) fn check_in(
        &self,
        (key, store): (StoreKey, &OpenStore),
        device: DeviceId,
        session: Option<SessionKey>,
        job: &JobHandle,
    ) -> Result<Facts> {
        let saved = Saved::read(store.root())?;
        let only = session
            .map(|session| lookup::session_id(&saved, device, session))
            .transpose()?;
        let checked = manage::check(store, only, job)?;
        let world = self.hub.snapshot();
        let id = Some(store.record().id);
        let sum = |count: fn(&manage::Checked) -> u64| checked.iter().map(count).sum::<u64>();
        let sessions = checked.iter().map(|one| {
            let session = shown::session_key(&world, (key, id), device, one.session);
            Facts::new()
                .with("session", Fact::Object(Some(ObjectId::Session(session))))
                .with("state", one.verdict.word())
                .with("damaged", one.damaged)
        });
        Ok(Facts::new()
            .with("entries", sum(|one| one.entries))
            .with("bytes", sum(|one| one.bytes))
            .with("damaged", sum(|one| one.damaged))
            .with("sessions", sessions.collect::<Vec<_>>()))
    }
}
