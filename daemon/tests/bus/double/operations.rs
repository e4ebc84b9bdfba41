//! What the bus asks the double for.

use wendyd::{
    jobs::{Facts, Failure, JobId, ObjectId, Operation},
    model::{DeviceId, SessionKey, StoreKey},
    operations::{Caller, Operations, PrepareRequest, SaveRequest, UpperSpace},
};

use super::{Double, SLOW};

impl Operations for Double {
    fn plan_prepare(
        &self,
        caller: &Caller,
        device: DeviceId,
        request: PrepareRequest,
    ) -> Result<(Facts, String), Failure> {
        self.note(format!(
            "plan-prepare {device} {:?} by {}",
            request.name, caller.uid
        ));
        let lost = vec![Facts::new().with("kind", "store").with("size", 5_u64)];
        let plan = Facts::new()
            .with("device", ObjectId::Device(device))
            .with("mode", "device")
            .with("name", request.name)
            .with("filesystem", "ext4")
            .with("size", 1_u64 << 30)
            .with("destroys", true)
            .with("lost", lost)
            .with("changed", Vec::<Facts>::new())
            .with("made", Vec::<Facts>::new())
            .with("warnings", vec!["small".to_owned()]);
        Ok((plan, "token".to_owned()))
    }

    fn prepare(
        &self,
        caller: &Caller,
        device: DeviceId,
        request: PrepareRequest,
    ) -> Result<JobId, Failure> {
        self.note(format!(
            "prepare {device} {:?} by {}",
            request.name, caller.uid
        ));
        if request.name == SLOW {
            self.wait_until_left(caller);
        }
        self.held_job(
            caller,
            Operation::PrepareDevice,
            vec![ObjectId::Device(device)],
        )
    }

    fn plan_save(
        &self,
        _: &Caller,
        store: StoreKey,
        request: SaveRequest,
    ) -> Result<Facts, Failure> {
        self.note(format!("plan-save {store} {:?}", request.name));
        let plan = Facts::new()
            .with("session", None::<ObjectId>)
            .with("name", request.name)
            .with("default", true)
            .with("exclude", request.exclude)
            .with("fits", true);
        let sizes = [
            "entries",
            "bytes",
            "changed-entries",
            "changed-bytes",
            "removed-entries",
        ];
        let sizes = sizes.into_iter().chain(["space", "free"]);
        Ok(sizes.fold(plan, |plan, size| plan.with(size, 1_u64)))
    }

    fn save(
        &self,
        caller: &Caller,
        store: StoreKey,
        request: SaveRequest,
    ) -> Result<JobId, Failure> {
        self.note(format!("save {store} {:?}", request.name));
        self.held_job(caller, Operation::SaveSession, vec![ObjectId::Store(store)])
    }

    fn rename_store(&self, _: &Caller, store: StoreKey, name: &str) -> Result<(), Failure> {
        self.note(format!("rename-store {store} {name:?}"));
        Ok(())
    }

    fn set_default(&self, _: &Caller, store: StoreKey, session: SessionKey) -> Result<(), Failure> {
        self.note(format!("set-default {store} {session}"));
        Ok(())
    }

    fn check_store(
        &self,
        caller: &Caller,
        store: StoreKey,
        session: Option<SessionKey>,
    ) -> Result<JobId, Failure> {
        self.note(format!("check-store {store} {session:?}"));
        self.held_job(caller, Operation::CheckStore, vec![])
    }

    fn rename_session(&self, _: &Caller, session: SessionKey, name: &str) -> Result<(), Failure> {
        self.note(format!("rename-session {session} {name:?}"));
        Ok(())
    }

    fn delete_session(&self, caller: &Caller, session: SessionKey) -> Result<JobId, Failure> {
        self.note(format!("delete-session {session}"));
        self.held_job(
            caller,
            Operation::DeleteSession,
            vec![ObjectId::Session(session)],
        )
    }

    fn upper_space(&self) -> UpperSpace {
        UpperSpace {
            used: 31,
            size: 986,
        }
    }

    /// What a test let happen is found out here, and not before.
    fn look_at_system(&self) {
        if let Some(condition) = self.condition.lock().unwrap().take() {
            self.hub.update(|world| world.live.condition = condition);
        }
    }
}
