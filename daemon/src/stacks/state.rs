//! What people are told about the running system.

use std::path::Path;

use wendy_sys::{DevNum, mount::Space};

use super::{Live, NotLive, Persistence, Upper};
use crate::model::{Condition, LiveState, Reason, State};

/// With less room than this, in bytes, programs begin to fail.
const FULL: u64 = 1 << 20;

/// All that the bus shows of the running system, but for the session it was started from. May
/// block on a slow device.
pub fn live_state(found: Result<&Live, &NotLive>) -> LiveState {
    let condition = condition(found);
    match found {
        Ok(live) => LiveState {
            stack: Some(live.stack),
            upper_kind: Some(live.upper_kind),
            condition,
            base_image: live.base.to_string(),
            ..LiveState::default()
        },
        Err(_) => LiveState {
            condition,
            ..LiveState::default()
        },
    }
}

/// What happens to changes made now: asked of the kernel each time. May block on a slow device.
pub fn condition(found: Result<&Live, &NotLive>) -> Condition {
    match found {
        Ok(live) => match &live.upper {
            Upper::Unreachable(why) => {
                let message = format!("your changes cannot be reached: {why}");
                because(State::Failed, Reason::Unreachable, &message)
            }
            _ => judge(Outlook::of(live), &live.persistence, live.asked_to_keep),
        },
        Err(NotLive { reason }) => because(State::NotLive, Reason::NotRecognised, reason),
    }
}

/// What may become another while the system runs.
#[derive(Debug, Clone, Copy, Default)]
struct Outlook {
    space: Space,
    read_only: bool,
    medium_gone: bool,
}

impl Outlook {
    fn of(live: &Live) -> Outlook {
        Outlook {
            space: live.usage().unwrap_or_default(),
            read_only: live.read_only(),
            medium_gone: match live.persistence {
                Persistence::Kept { device, .. } => !is_there(device),
                Persistence::Volatile | Persistence::Unknown => false,
            },
        }
    }
}

/// The kernel gives the number of a mounted device to no other, even when it is unplugged.
fn is_there(device: DevNum) -> bool {
    Path::new("/sys/dev/block")
        .join(device.to_string())
        .exists()
}

fn judge(outlook: Outlook, persistence: &Persistence, asked_to_keep: bool) -> Condition {
    let space = outlook.space;
    if outlook.medium_gone {
        let message = "the medium with your changes was unplugged";
        return because(State::Failed, Reason::MediumGone, message);
    }
    if outlook.read_only {
        let message = "the filesystem with your changes takes no more writes";
        return because(State::ReadOnly, Reason::ReadOnlyFilesystem, message);
    }
    if space.size > 0 && space.available < FULL {
        let message = "the filesystem with your changes is full";
        return because(State::Full, Reason::NoRoom, message);
    }
    match persistence {
        Persistence::Kept { .. } => simply(State::Persistent),
        Persistence::Volatile if asked_to_keep => because(
            State::Volatile,
            Reason::NoMedium,
            "the kernel command line asks to keep changes, but no medium for them was found",
        ),
        Persistence::Volatile => simply(State::Volatile),
        Persistence::Unknown => because(
            State::Volatile,
            Reason::UnknownPlace,
            "it is unknown where your changes are kept",
        ),
    }
}

fn simply(state: State) -> Condition {
    Condition {
        state,
        ..Condition::default()
    }
}

fn because(state: State, reason: Reason, message: &str) -> Condition {
    Condition {
        state,
        reason: Some(reason),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn on_a_stick(outlook: Outlook) -> (State, Option<Reason>) {
        let kept = Persistence::Kept {
            device: DevNum::from_parts(8, 1),
            path: PathBuf::new(),
        };
        let condition = judge(outlook, &kept, true);
        assert_eq!(condition.reason.is_none(), condition.message.is_empty());
        (condition.state, condition.reason)
    }

    #[test]
    fn what_is_worst_is_told() {
        let good = Outlook::default();
        assert_eq!(on_a_stick(good), (State::Persistent, None));
        let full = Outlook {
            space: Space {
                size: 1 << 30,
                ..Space::default()
            },
            ..good
        };
        assert_eq!(on_a_stick(full), (State::Full, Some(Reason::NoRoom)));
        let read_only = Outlook {
            read_only: true,
            ..full
        };
        let reason = Some(Reason::ReadOnlyFilesystem);
        assert_eq!(on_a_stick(read_only), (State::ReadOnly, reason));
        let gone = Outlook {
            medium_gone: true,
            ..read_only
        };
        assert_eq!(on_a_stick(gone), (State::Failed, Some(Reason::MediumGone)));
    }

    #[test]
    fn an_unplugged_device_is_not_there() {
        assert!(!is_there(DevNum::from_parts(8, 999_999)));
        let any = std::fs::read_dir("/sys/dev/block").unwrap().next().unwrap();
        let name = any.unwrap().file_name();
        assert!(is_there(name.to_str().unwrap().parse().unwrap()));
    }
}
