//! Marks between the steps of a transaction, at which a test can make the machine fail.

use crate::Result;

/// Marks the boundary before the step `name`.
///
/// Does nothing in a shipped build. With the feature `failpoints` a test can end the process here
/// or let the step fail, see [`failpoints`](crate::failpoints).
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn step(_name: &'static str) -> Result<()> {
    Ok(())
}

/// Marks the boundary before the step `name`; obeys what a test ordered for it.
#[cfg(feature = "failpoints")]
pub fn step(name: &'static str) -> Result<()> {
    failpoints::reach(name)
}

/// Orders for the steps of a transaction, in the syntax of the crate `fail`.
///
/// The variable `WENDY_FAILPOINTS` holds `step=actions` pairs separated by `;`. Actions:
/// `return(kill)` ends the process as a power cut would, `return(enospc)` and `return(eio)` fail
/// the step, `return(stop)` stops the process until it gets SIGCONT, `pause` waits, and a count as in `2*off->return(kill)` aims at a later visit.
#[cfg(feature = "failpoints")]
pub mod failpoints {
    use std::{
        collections::BTreeSet,
        sync::{Mutex, Once, PoisonError},
    };

    use rustix::{io::Errno, process};

    use crate::{Error, Result};

    static SEEN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

    /// Orders `actions` for the step `name`, within this process.
    pub fn order(name: &str, actions: &str) -> Result<()> {
        fail::cfg(name, actions).map_err(|why| Error::invalid(format!("failpoint {name}"), why))
    }

    /// Takes the order for the step `name` back.
    pub fn release(name: &str) {
        fail::remove(name);
    }

    /// The names of all steps reached so far, for tests that fail at each of them in turn.
    pub fn seen() -> Vec<&'static str> {
        SEEN.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .copied()
            .collect()
    }

    pub(super) fn reach(name: &'static str) -> Result<()> {
        obey_environment();
        SEEN.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name);
        match fail::eval(name, |action| action) {
            None => Ok(()),
            Some(action) => act(name, action.as_deref()),
        }
    }

    fn act(name: &str, action: Option<&str>) -> Result<()> {
        match action {
            Some("kill") => {
                let _ = process::kill_process(process::getpid(), process::Signal::KILL);
                unreachable!("SIGKILL cannot be held back")
            }
            Some("stop") => {
                let _ = process::kill_process(process::getpid(), process::Signal::STOP);
                Ok(())
            }
            Some("enospc") => Err(Error::os(format!("step {name}"), Errno::NOSPC)),
            Some("eio") => Err(Error::os(format!("step {name}"), Errno::IO)),
            other => Err(Error::invalid(
                format!("failpoint {name}"),
                format!("no action {other:?}"),
            )),
        }
    }

    fn obey_environment() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let orders = std::env::var("WENDY_FAILPOINTS").unwrap_or_default();
            for order in orders.split(';').filter(|order| !order.is_empty()) {
                let (name, actions) = order
                    .split_once('=')
                    .expect("WENDY_FAILPOINTS: step=actions");
                super::failpoints::order(name, actions).expect("WENDY_FAILPOINTS: valid actions");
            }
        });
    }
}

#[cfg(all(test, feature = "failpoints"))]
mod tests {
    use super::{failpoints, step};
    use crate::Errno;

    #[test]
    fn an_ordered_step_fails_until_released() {
        failpoints::order("test.write", "return(enospc)").unwrap();
        assert_eq!(step("test.write").unwrap_err().errno(), Some(Errno::NOSPC));
        failpoints::release("test.write");
        step("test.write").unwrap();
        assert!(failpoints::seen().contains(&"test.write"));
    }

    #[test]
    fn a_count_aims_at_a_later_visit() {
        failpoints::order("test.later", "1*off->return(eio)").unwrap();
        step("test.later").unwrap();
        assert_eq!(step("test.later").unwrap_err().errno(), Some(Errno::IO));
    }
}
