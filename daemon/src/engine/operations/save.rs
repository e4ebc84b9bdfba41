//! Saving as the bus asks for it: from its objects to those of the store, and back.

use std::time::Instant;

use crate::{
    engine::{Engine, Error, Result, Watch, lookup, publish, save},
    jobs::{Fact, Facts, JobHandle, ObjectId},
    model::StoreKey,
    operations::SaveRequest,
    stores::{OpenStore, Saved, shown},
};

impl Engine {
    /// What can be refused at once is, rather than by a job that fails.
    pub(super) fn check_save(&self, request: &SaveRequest) -> Result<()> {
        let source = self.source.open()?;
        let is_new = request.session.is_none();
        save::check(&request.name, is_new, &request.exclude, &source)
    }

    pub(super) fn plan_save_in(
        &self,
        key: StoreKey,
        store: &OpenStore,
        request: &SaveRequest,
        watch: &dyn Watch,
    ) -> Result<Facts> {
        let source = self.source.open()?;
        let request_in = self.save_request(key, store, request)?;
        let context = save::Context {
            store,
            source: &source,
            indexes: &self.indexes,
            ledger: &(),
            watch,
        };
        let plan = save::plan(context, &request_in)?;
        let session = request.session.map(ObjectId::Session);
        let seconds = self.with_disk(key, |disk| self.paces.seconds(disk, plan.space()))?;
        Ok(plan
            .facts()
            .with("session", Fact::Object(session))
            .with_known("seconds", seconds))
    }

    pub(super) fn save_in(
        &self,
        key: StoreKey,
        store: &OpenStore,
        request: &SaveRequest,
        job: &JobHandle,
    ) -> Result<Facts> {
        let source = self.source.open()?;
        let request = self.save_request(key, store, request)?;
        let context = save::Context {
            store,
            source: &source,
            indexes: &self.indexes,
            ledger: &self.own_saves,
            watch: job,
        };
        let begun = Instant::now();
        let report = save::save(context, &request)?;
        let (bytes, took) = (report.written_bytes, begun.elapsed());
        self.own_saves.note(report.session, &report.generation);
        self.with_disk(key, |disk| self.paces.note(disk.diskseq, bytes, took))?;
        let saved = Saved::read(store.root())?;
        let parameters =
            publish::kernel_parameters(store, saved.get(report.session)?, report.default);
        let session = shown::session_key(
            &self.hub.snapshot(),
            (key, Some(store.record().id)),
            self.device_of(key)?,
            report.session,
        );
        Ok(report
            .facts()
            .with("session", Fact::Object(Some(ObjectId::Session(session))))
            .with("store", Fact::Object(Some(ObjectId::Store(key))))
            .with("kernel-parameters", parameters))
    }

    fn save_request(
        &self,
        key: StoreKey,
        store: &OpenStore,
        request: &SaveRequest,
    ) -> Result<save::SaveRequest> {
        let device = self.device_of(key)?;
        let find = |session| lookup::session_id(&Saved::read(store.root())?, device, session);
        Ok(save::SaveRequest {
            name: request.name.clone(),
            session: request.session.map(find).transpose()?,
            default: request.default,
            exclude: request.exclude.clone(),
            second_pass: second_pass(request.quiesce.as_deref())?,
            overwrite: request.overwrite,
        })
    }

    /// Tells `what` of the disk a store is on.
    fn with_disk<T>(&self, store: StoreKey, what: impl FnOnce(save::Disk<'_>) -> T) -> Result<T> {
        let id = self.device_of(store)?;
        let world = self.hub.snapshot();
        let bus = world.devices.get(&id).map_or("", |device| &device.bus);
        Ok(what(save::Disk {
            diskseq: id.diskseq,
            bus,
        }))
    }
}

fn second_pass(quiesce: Option<&str>) -> Result<bool> {
    match quiesce {
        None | Some("second-pass") => Ok(true),
        Some("none") => Ok(false),
        Some(other) => Err(Error::NotSupported(format!(
            "there is no way {other:?} to quiesce; use second-pass or none"
        ))),
    }
}
