//! Which question each method of the bus raises: the one place that knows.
//!
//! A method that is not listed cannot be carried out, and a test compares the list with the
//! contract, so that a new method without a rule is noticed before it can do harm.

use super::Action;

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
pub const METHODS: [(&str, &str, Rule); 15] = [
    ("org.ubuntu.Wendy", "PlanPrepare", Rule::Open),
    ("org.ubuntu.Wendy", "PrepareDevice", Rule::ByDevice),
    (
        "org.ubuntu.Wendy",
        "PlanSave",
        Rule::Needs(Action::SaveSession),
    ),
    (
        "org.ubuntu.Wendy",
        "SaveSession",
        Rule::Needs(Action::SaveSession),
    ),
    (
        "org.ubuntu.Wendy",
        "SwitchUpperLayer",
        Rule::Needs(Action::SwitchUpperLayer),
    ),
    ("org.ubuntu.Wendy", "Snapshot", Rule::ByOutput),
    (
        "org.ubuntu.Wendy.Store",
        "SetDefault",
        Rule::Needs(Action::ManageStore),
    ),
    (
        "org.ubuntu.Wendy.Store",
        "Rename",
        Rule::Needs(Action::ManageStore),
    ),
    (
        "org.ubuntu.Wendy.Store",
        "Unlock",
        Rule::Needs(Action::UnlockStore),
    ),
    (
        "org.ubuntu.Wendy.Store",
        "Lock",
        Rule::Needs(Action::UnlockStore),
    ),
    (
        "org.ubuntu.Wendy.Store",
        "Check",
        Rule::Needs(Action::ManageStore),
    ),
    (
        "org.ubuntu.Wendy.Store",
        "Resize",
        Rule::Needs(Action::ManageStore),
    ),
    (
        "org.ubuntu.Wendy.Session",
        "Rename",
        Rule::Needs(Action::ManageStore),
    ),
    (
        "org.ubuntu.Wendy.Session",
        "Delete",
        Rule::Needs(Action::ManageStore),
    ),
    ("org.ubuntu.Wendy.Job", "Cancel", Rule::OwnOrOthers),
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
    let listed = METHODS
        .iter()
        .find(|(i, m, _)| (*i, *m) == (interface, method));
    let (_, _, rule) = listed.ok_or(NoRule)?;
    Ok(match rule {
        Rule::Open => None,
        Rule::Needs(action) => Some(*action),
        Rule::ByDevice if circumstances.removable_device => Some(Action::PrepareDevice),
        Rule::ByDevice => Some(Action::PrepareDeviceSystem),
        Rule::ByOutput if circumstances.exported => Some(Action::SnapshotExport),
        Rule::ByOutput => Some(Action::Snapshot),
        Rule::OwnOrOthers if circumstances.own_job => None,
        Rule::OwnOrOthers => Some(Action::ManageOthers),
    })
}

/// The method is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no rule says who may call this")]
pub struct NoRule;
