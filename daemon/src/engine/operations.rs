//! What the bus can ask for.

mod check;
mod prepare;
mod save;

use std::time::Instant;

use wendy_sys::DevNum;

use super::{Engine, Error, Result, Unwatched, gone, lookup, manage};
use crate::{
    jobs::{Fact, Facts, Failure, JobHandle, JobId, ObjectId, Operation, Request},
    model::{DeviceId, SessionKey, StoreKey},
    operations::{Caller, Operations, PrepareRequest, SaveRequest, UpperSpace},
    stores::Saved,
};

impl Operations for Engine {
    fn plan_prepare(
        &self,
        caller: &Caller,
        device: DeviceId,
        request: PrepareRequest,
    ) -> Result<(Facts, String), Failure> {
        let request = prepare::understood(request)?;
        let (target, plan) = self.plan(device, &request)?;
        let facts = plan
            .facts()
            .with("device", Fact::Object(Some(ObjectId::Device(device))));
        if !plan.destroys() {
            return Ok((facts, String::new()));
        }
        let token = self
            .tokens
            .issue(&caller.bus_name, target.identity, plan, Instant::now());
        Ok((facts, token.as_str().to_owned()))
    }

    fn prepare(
        &self,
        caller: &Caller,
        device: DeviceId,
        request: PrepareRequest,
    ) -> Result<JobId, Failure> {
        let request = prepare::understood(request)?;
        let (target, plan) = self.plan(device, &request)?;
        self.check_consent(caller, target.identity, &plan, request.token.as_ref())?;
        let objects = vec![ObjectId::Device(device.whole_disk())];
        let engine = self.clone();
        let work = move |job: &JobHandle| engine.run_prepare(&target, &request, &plan, job);
        self.start(Operation::PrepareDevice, caller, objects, work)
    }

    fn plan_save(
        &self,
        _: &Caller,
        store: StoreKey,
        request: SaveRequest,
    ) -> Result<Facts, Failure> {
        let unattended = Unwatched::default();
        let facts = self.with_store(store, |open| {
            self.plan_save_in(store, open, &request, &unattended)
        })?;
        Ok(facts)
    }

    fn save(
        &self,
        caller: &Caller,
        store: StoreKey,
        request: SaveRequest,
    ) -> Result<JobId, Failure> {
        self.check_save(&request)?;
        let device = self.device_of(store)?;
        let mut objects = vec![ObjectId::Store(store), ObjectId::Device(device)];
        objects.extend(request.session.map(ObjectId::Session));
        let engine = self.clone();
        let work = move |job: &JobHandle| {
            engine.with_store(store, |open| engine.save_in(store, open, &request, job))
        };
        self.start(Operation::SaveSession, caller, objects, work)
    }

    fn rename_store(&self, _: &Caller, store: StoreKey, name: &str) -> Result<(), Failure> {
        Ok(self.with_store(store, |open| manage::rename_store(open, name))?)
    }

    fn set_default(&self, _: &Caller, store: StoreKey, session: SessionKey) -> Result<(), Failure> {
        let device = self.device_of(store)?;
        let done = self.with_store(store, |open| {
            let id = lookup::session_id(&Saved::read(open.root())?, device, session)?;
            manage::set_default(open, id)
        });
        Ok(done?)
    }

    fn check_store(
        &self,
        caller: &Caller,
        store: StoreKey,
        session: Option<SessionKey>,
    ) -> Result<JobId, Failure> {
        let device = self.device_of(store)?;
        let objects = vec![ObjectId::Store(store), ObjectId::Device(device)];
        let engine = self.clone();
        let work = move |job: &JobHandle| {
            engine.with_store(store, |open| {
                engine.check_in((store, open), device, session, job)
            })
        };
        self.start(Operation::CheckStore, caller, objects, work)
    }

    fn rename_session(&self, _: &Caller, session: SessionKey, name: &str) -> Result<(), Failure> {
        let store = lookup::store_of(&self.hub.snapshot(), session)?;
        let device = self.device_of(store)?;
        let done = self.with_store(store, |open| {
            let id = lookup::session_id(&Saved::read(open.root())?, device, session)?;
            manage::rename_session(open, id, name)
        });
        Ok(done?)
    }

    fn delete_session(&self, caller: &Caller, session: SessionKey) -> Result<JobId, Failure> {
        let store = lookup::store_of(&self.hub.snapshot(), session)?;
        let device = self.device_of(store)?;
        let objects = vec![
            ObjectId::Session(session),
            ObjectId::Store(store),
            ObjectId::Device(device),
        ];
        let engine = self.clone();
        let work = move |job: &JobHandle| {
            // Who cannot tell what the system runs from must not remove it.
            let running = match engine.source.open() {
                Ok(source) => source.started_from,
                Err(Error::NotLive(_)) => None,
                Err(error) => return Err(error),
            };
            engine.with_store(store, |open| {
                let id = lookup::session_id(&Saved::read(open.root())?, device, session)?;
                manage::delete_session(open, id, running, job)?;
                Ok(Facts::new())
            })
        };
        self.start(Operation::DeleteSession, caller, objects, work)
    }

    fn upper_space(&self) -> UpperSpace {
        let space = self.source.space();
        UpperSpace {
            used: space.used(),
            size: space.size,
        }
    }

    fn look_at_system(&self) {
        let condition = self.source.condition();
        self.hub.update(|world| {
            world.live.condition = condition;
            let running = world.live.running_session;
            if let Some(session) = running.and_then(|key| world.sessions.get(&key)) {
                world.live.running_name.clone_from(&session.name);
            }
        });
    }
}

impl Engine {
    fn device_of(&self, store: StoreKey) -> Result<DeviceId> {
        let world = self.hub.snapshot();
        let found = world.stores.get(&store).map(|store| store.device);
        found.ok_or_else(|| Error::NotFound(format!("the store {store}")))
    }

    fn start(
        &self,
        operation: Operation,
        caller: &Caller,
        objects: Vec<ObjectId>,
        work: impl FnOnce(&JobHandle) -> Result<Facts> + Send + 'static,
    ) -> Result<JobId, Failure> {
        // Planning has taken its time.
        caller.check_present()?;
        let devices = self.numbers_of(&objects);
        let work = move |job: &JobHandle| work(job).map_err(|error| gone::explain(error, &devices));
        let request = Request {
            operation,
            uid: caller.uid,
            objects,
        };
        Ok(self.jobs.start(request, work).map_err(Error::from)?)
    }

    fn numbers_of(&self, objects: &[ObjectId]) -> Vec<(String, DevNum)> {
        let world = self.hub.snapshot();
        let devices = objects.iter().filter_map(|object| match object {
            ObjectId::Device(id) => world.devices.get(id),
            _ => None,
        });
        devices
            .map(|device| (device.node.clone(), DevNum::new(device.devnum)))
            .collect()
    }
}
