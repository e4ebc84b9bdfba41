//! Preparing as the bus asks for it.

use std::time::Instant;

use wendy_dbus::words::Word;
use wendy_sys::{Cancel, block::Identity};

use crate::{
    engine::{
        Engine, Error, Result, Token, eligible,
        prepare::{self, Mode, PreparePlan, Target},
        publish,
    },
    jobs::{Fact, Facts, JobHandle, ObjectId},
    model::{DeviceId, StoreKey},
    operations::{Caller, PrepareRequest},
};

/// The request in the words of the engine.
pub(super) fn understood(request: PrepareRequest) -> Result<prepare::PrepareRequest> {
    let PrepareRequest {
        mode,
        name,
        size,
        filesystem,
        token,
    } = request;
    let mode = mode.as_deref().map_or(Ok(Mode::default()), known_mode)?;
    let token = token.filter(|token| !token.is_empty()).map(Token::from);
    Ok(prepare::PrepareRequest {
        mode,
        name,
        size,
        filesystem,
        token,
    })
}

fn known_mode(word: &str) -> Result<Mode> {
    Mode::from_word(word)
        .ok_or_else(|| Error::NotSupported(format!("there is no way {word:?} to prepare a device")))
}

impl Engine {
    pub(super) fn plan(
        &self,
        device: DeviceId,
        request: &prepare::PrepareRequest,
    ) -> Result<(Target, PreparePlan)> {
        let world = self.hub.snapshot();
        let target = eligible::target(&world, device, request.mode)?;
        let plan = prepare::plan(&target, request, &Cancel::new())?;
        if plan.destroys() && eligible::is_built_in(&world, device) {
            return Err(Error::SystemDisk(target.known.device));
        }
        Ok((target, plan))
    }

    pub(super) fn check_consent(
        &self,
        caller: &Caller,
        device: Identity,
        plan: &PreparePlan,
        token: Option<&Token>,
    ) -> Result<()> {
        match token {
            _ if !plan.destroys() => Ok(()),
            None => Err(Error::NeedsToken(plan.device.clone())),
            Some(token) => {
                self.tokens
                    .redeem(token, &caller.bus_name, (device, plan), Instant::now())
            }
        }
    }

    pub(super) fn run_prepare(
        &self,
        target: &Target,
        request: &prepare::PrepareRequest,
        plan: &PreparePlan,
        job: &JobHandle,
    ) -> Result<Facts> {
        let prepared = prepare::prepare(target, request, plan, job)
            .map_err(|error| error.about(&target.known.device))?;
        let key = StoreKey::new(prepared.store);
        let disk = DeviceId::disk(target.identity.diskseq);
        publish::wait_until_seen(&self.hub, (key, disk), self.settle, job);
        drop(prepared);
        Ok(Facts::new().with("store", Fact::Object(Some(ObjectId::Store(key)))))
    }
}
