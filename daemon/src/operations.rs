//! What the bus can ask for: the seam between translation and the engine.
//!
//! Everything here may block for as long as a medium does; the bus calls it on threads made for
//! that. By then the caller is authorised, but nothing else has been checked: each operation looks
//! at its objects again.

use wendy_sys::Cancel;

use crate::{
    jobs::{Facts, Failure, FailureKind, JobId},
    model::{DeviceId, SessionKey, StoreKey},
};

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Unique name of the connection.
    pub bus_name: String,
    /// The user behind it, as the bus daemon says.
    pub uid: u32,
    /// Set when the connection is gone. What has begun is finished, but nothing is begun for
    /// somebody who would never hear of it.
    pub left: Cancel,
}

impl Caller {
    /// Whether to begin what they asked for.
    ///
    /// # Errors
    /// [`FailureKind::Cancelled`], which nobody hears.
    pub fn check_present(&self) -> Result<(), Failure> {
        if self.left.is_cancelled() {
            let why = format!("{} has left the bus, nothing was begun", self.bus_name);
            return Err(Failure::new(FailureKind::Cancelled, why));
        }
        Ok(())
    }
}

/// How a store is to be made. The daemon fills in defaults; words are those of the contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrepareRequest {
    /// `device`, `partition`, `free-space` or `loopback`.
    pub mode: Option<String>,
    /// What the store will be called.
    pub name: String,
    /// Bytes; all there is room for without it.
    pub size: Option<u64>,
    /// Type of the filesystem.
    pub filesystem: Option<String>,
    /// Consent to lose what the plan lists.
    pub token: Option<String>,
}

/// How a session is to be saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaveRequest {
    /// Its name; empty keeps the one of the session that is updated.
    pub name: String,
    /// Update this one.
    pub session: Option<SessionKey>,
    /// Make it what a stock image boots.
    pub default: Option<bool>,
    /// What to leave out.
    pub exclude: Vec<String>,
    /// `second-pass` or `none`.
    pub quiesce: Option<String>,
    /// Remove the last save of the session first if there is no room beside it.
    pub overwrite: bool,
}

/// Room on the filesystem that holds the running system's changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpperSpace {
    /// Bytes in use.
    pub used: u64,
    /// Bytes in all.
    pub size: u64,
}

/// The verbs behind the bus.
pub trait Operations: Send + Sync + std::fmt::Debug {
    /// What [`Operations::prepare`] would lose and make, and the token that agrees to it; empty if
    /// none is needed.
    fn plan_prepare(
        &self,
        caller: &Caller,
        device: DeviceId,
        request: PrepareRequest,
    ) -> Result<(Facts, String), Failure>;

    /// Makes a store.
    fn prepare(
        &self,
        caller: &Caller,
        device: DeviceId,
        request: PrepareRequest,
    ) -> Result<JobId, Failure>;

    /// What [`Operations::save`] would write.
    fn plan_save(
        &self,
        caller: &Caller,
        store: StoreKey,
        request: SaveRequest,
    ) -> Result<Facts, Failure>;

    /// Saves the running session.
    fn save(
        &self,
        caller: &Caller,
        store: StoreKey,
        request: SaveRequest,
    ) -> Result<JobId, Failure>;

    /// Gives a store another name.
    fn rename_store(&self, caller: &Caller, store: StoreKey, name: &str) -> Result<(), Failure>;

    /// Makes a session the one that a stock image boots.
    fn set_default(
        &self,
        caller: &Caller,
        store: StoreKey,
        session: SessionKey,
    ) -> Result<(), Failure>;

    /// Reads back a store, or one session of it.
    fn check_store(
        &self,
        caller: &Caller,
        store: StoreKey,
        session: Option<SessionKey>,
    ) -> Result<JobId, Failure>;

    /// Gives a session another name.
    fn rename_session(
        &self,
        caller: &Caller,
        session: SessionKey,
        name: &str,
    ) -> Result<(), Failure>;

    /// Removes a session.
    fn delete_session(&self, caller: &Caller, session: SessionKey) -> Result<JobId, Failure>;

    /// Room for changes to the running system. Must not block: properties are read from it.
    fn upper_space(&self) -> UpperSpace;

    /// Looks at the running system again and updates the world: a full filesystem and a failing
    /// medium make no event. Must not block either.
    fn look_at_system(&self);
}
