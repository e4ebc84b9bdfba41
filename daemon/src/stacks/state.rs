//! What people are told about the running system.

use wendy_sys::mount::Space;

use super::{Live, NotLive, Persistence, Upper};
use crate::model::{LiveState, State};

/// With less room than this, in bytes, programs begin to fail.
const FULL: u64 = 1 << 20;

/// All that the bus shows of the running system, but for the session it was started from. May
/// block on a slow device.
pub fn live_state(found: &Result<Live, NotLive>) -> LiveState {
    let live = match found {
        Ok(live) => live,
        Err(NotLive { reason }) => {
            return LiveState {
                reason: reason.clone(),
                ..LiveState::default()
            };
        }
    };
    let space = live.usage().unwrap_or_default();
    let (state, reason) = state_of(live, space);
    LiveState {
        stack: Some(live.stack),
        upper_kind: Some(live.upper_kind),
        state,
        reason,
        running_session: None,
        base_image: live.base.to_string(),
        upper_used: space.used(),
        upper_size: space.size,
    }
}

/// The state with a reason in a sentence, empty when the state says it all.
pub fn state_of(live: &Live, space: Space) -> (State, String) {
    if let Upper::Unreachable(why) = &live.upper {
        return (
            State::Failed,
            format!("your changes cannot be reached: {why}"),
        );
    }
    if live.read_only {
        return (
            State::ReadOnly,
            "the filesystem with your changes takes no more writes".into(),
        );
    }
    if space.size > 0 && space.available < FULL {
        return (
            State::Full,
            "the filesystem with your changes is full".into(),
        );
    }
    match &live.persistence {
        Persistence::Kept { .. } => (State::Persistent, String::new()),
        Persistence::Volatile if live.asked_to_keep => (
            State::Volatile,
            "the kernel command line asks to keep changes, but no medium for them was found".into(),
        ),
        Persistence::Volatile => (State::Volatile, String::new()),
        Persistence::Unknown => (
            State::Volatile,
            "it is unknown where your changes are kept".into(),
        ),
    }
}
