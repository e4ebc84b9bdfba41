//! Confinement of a process that reads what a stranger wrote.
//!
//! The process opens what it needs, then calls [`confine`], and from then on can read what it has
//! open and what lies below, and write its findings to descriptors it already holds. Everything
//! else ends it. There is no way back.
//!
//! Only for a process that is single-threaded and does nothing else.

mod filter;

use rustix::{
    fs::Gid,
    process::{DumpableBehavior, Resource, Rlimit, Uid, set_dumpable_behavior, setrlimit},
    thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities,
        set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
        set_thread_res_uid,
    },
};

use crate::{Result, error::Context};

/// `nobody` and `nogroup`: the user that owns nothing.
const NOBODY: u32 = 65534;

/// What the confined process may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Address space in bytes.
    pub memory: u64,
    /// Processor time in seconds.
    pub cpu_seconds: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            cpu_seconds: 10,
            descriptors: 64,
        }
    }
}

/// Gives up everything but reading, for ever.
///
/// Needs `CAP_SETUID`, `CAP_SETGID` and `CAP_DAC_READ_SEARCH`. Afterwards the process is `nobody` with the one capability to read files whose permission bits
/// forbid it (`CAP_DAC_READ_SEARCH`), gains nothing by exec, leaves no core, cannot be traced,
/// starts no process and grows no file; any system call that reading does not need kills it.
pub fn confine(limits: Limits) -> Result<()> {
    drop_identity()?;
    set_no_new_privs(true).during(|| "forbid new privileges".into())?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).during(|| "forbid core dumps".into())?;
    limit(limits)?;
    filter::apply()
}

/// Becomes `nobody`, but keeps the capability to read everything.
fn drop_identity() -> Result<()> {
    let what = || "give up privileges".to_owned();
    clear_ambient_capability_set().during(what)?;
    // The bounding set may stay: it matters at exec only, which gains nothing and is forbidden.
    set_keep_capabilities(true).during(what)?;
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[]).during(what)?;
    set_thread_res_gid(gid, gid, gid).during(what)?;
    set_thread_res_uid(uid, uid, uid).during(what)?;
    let kept = CapabilitySet::DAC_READ_SEARCH;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).during(what)
}

fn limit(limits: Limits) -> Result<()> {
    let limits = [
        (Resource::As, limits.memory),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Nofile, limits.descriptors),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit).during(|| format!("limit {resource:?}"))?;
    }
    Ok(())
}
