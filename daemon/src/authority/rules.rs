//! Which question each method of the bus raises: the one place that knows.
//!
//! A method that is not listed cannot be carried out, and a test compares the list with the
//! contract, so that a new method without a rule is noticed before it can do harm.

use super::Action::{self, ManageStore, SaveSession, SwitchUpperLayer, UnlockStore};
use Rule::{ByDevice, ByOutput, Needs, Open, OwnOrOthers};

/// What a caller needs for a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing: the method only reads. Quotas still apply.
    Open,
    /// This authorisation.
    Needs(Action),
    /// Depends on whether the device is a removable one.
    ByDevice,
    /// Depends on whether the image stays in a store or goes to the caller.
    ByOutput,
    /// Nothing for one's own job, an authorisation for another user's.
    OwnOrOthers,
}

/// Every method of every interface, with what it needs.
const METHODS: [(&str, &[(&str, Rule)]); 4] = [
    (
        "org.ubuntu.Wendy",
        &[
            ("PlanPrepare", Open),
            ("PrepareDevice", ByDevice),
            ("PlanSave", Needs(SaveSession)),
            ("SaveSession", Needs(SaveSession)),
            ("SwitchUpperLayer", Needs(SwitchUpperLayer)),
            ("Snapshot", ByOutput),
        ],
    ),
    (
        "org.ubuntu.Wendy.Store",
        &[
            ("SetDefault", Needs(ManageStore)),
            ("Rename", Needs(ManageStore)),
            ("Unlock", Needs(UnlockStore)),
            ("Lock", Needs(UnlockStore)),
            ("Check", Needs(ManageStore)),
            ("Resize", Needs(ManageStore)),
        ],
    ),
    (
        "org.ubuntu.Wendy.Session",
        &[
            ("Rename", Needs(ManageStore)),
            ("Delete", Needs(ManageStore)),
        ],
    ),
    ("org.ubuntu.Wendy.Job", &[("Cancel", OwnOrOthers)]),
];

/// The facts a rule may depend on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances {
    /// The device is removable and no part of the installed system.
    pub removable_device: bool,
    /// The image goes to the caller.
    pub exported: bool,
    /// The job is the caller's own.
    pub own_job: bool,
}

/// The authorisation a call needs; `Ok(None)` for none.
///
/// # Errors
/// [`NoRule`] for a method that is not listed: nobody may call it.
pub fn required(
    interface: &str,
    method: &str,
    circumstances: Circumstances,
) -> Result<Option<Action>, NoRule> {
    let mut listed = methods();
    let is_it = |(i, m, _): &(&str, &str, Rule)| (*i, *m) == (interface, method);
    let (_, _, rule) = listed.find(is_it).ok_or(NoRule)?;
    Ok(match rule {
        Open => None,
        Needs(action) => Some(action),
        ByDevice if circumstances.removable_device => Some(Action::PrepareDevice),
        ByDevice => Some(Action::PrepareDeviceSystem),
        ByOutput if circumstances.exported => Some(Action::SnapshotExport),
        ByOutput => Some(Action::Snapshot),
        OwnOrOthers if circumstances.own_job => None,
        OwnOrOthers => Some(Action::ManageOthers),
    })
}

/// Interface, name and rule of every method.
pub fn methods() -> impl Iterator<Item = (&'static str, &'static str, Rule)> {
    METHODS.iter().flat_map(|(interface, methods)| {
        let rules = methods.iter();
        rules.map(|(method, rule)| (*interface, *method, *rule))
    })
}

/// The method is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no rule says who may call this")]
pub struct NoRule;
