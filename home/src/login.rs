//! A home at login: found on a stick, shown at the user's home directory, let go at logout.
//!
//! Two processes take part. The [hook] runs inside the login, started by pam_exec(8). It never
//! touches a stick, so nothing that hangs there holds a login up for longer than [`PATIENCE`]. The
//! [server](serve) does all the work; systemd runs it as `wendy-home@UID.service`, without systemd
//! the hook starts it by itself. What they tell each other stands in [`place`].
//!
//! | room | concept |
//! |---|---|
//! | [`person`] | who logs in, and whether their home is on a stick |
//! | [`place`] | the directory in `/run` that hook and server share |
//! | [`sticks`] | filesystems on removable media, as udev knows them |
//! | [`look`] | what a stick holds, found out without writing to it |
//! | [`secret`] | what tells a stick from another one that says the same |
//! | [`claims`] | which homes belong to which account of this computer |
//! | [`choose`] | which stick it is, or why it is none |
//! | [`check`], [`lower`] | bringing its filesystem in order and mounting it |
//! | [`open`](mod@open) | the home on it, in whichever mode |
//! | [`watch`], [`in_use`], [`plugged`], [`reserved`] | a stick that is pulled and comes back |
//! | [`skel`] | what a new home begins with |
//! | [`serve`] | all of that in order, until the last logout |
//! | `answer` | what the login that waits is told, in time |
//! | `pace` | whether the stick takes what is written |
//! | [`sessions`] | who is logged in, where systemd does not count |
//! | [`holders`] | who keeps a home from being unmounted |
//!
//! It must never keep somebody from logging in, put a home under a session that has begun without
//! it, or show one account's stick to another.

use std::time::Duration;

pub mod check;
pub mod choose;
pub mod claims;
pub mod holders;
pub mod hook;
pub mod in_use;
pub mod look;
pub mod lower;
pub mod open;
pub mod person;
pub mod place;
pub mod plugged;
pub mod reserved;
pub mod secret;
pub mod serve;
pub mod sessions;
pub mod skel;
pub mod sticks;
pub mod watch;

mod answer;
mod pace;

/// How long a login waits for its home before it goes on without.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Name of the directory on the stick that holds the home.
pub const DIRECTORY: &str = "pershome";

/// What a login is told that has waited long enough.
fn too_late() -> String {
    format!(
        "The stick does not answer, or is still being checked. Log out and in again later. {HERE}"
    )
}

/// What a login without a home on a stick is told at the end.
const HERE: &str = "You use your home on this computer.";
