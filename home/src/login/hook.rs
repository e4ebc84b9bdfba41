//! What pam_exec(8) runs when a session opens and closes.
//!
//! It runs inside the login, so it must come to an end whatever happens: it touches no stick, and
//! waits for those who do no longer than [`PATIENCE`], or at a logout for as long as the stick takes what
//! is written. Of its environment it takes the name of the user, which must be that of an account, the
//! service, the terminal and whether there is a remote host.

use super::person::Person;
use super::place::{Place, Waiting};
use super::serve;
use super::sessions::Sessions;
use super::{HERE, PATIENCE, too_late};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use wendy_sys::Cancel;

mod alone;
mod farewell;
mod systemd;

use farewell::Farewell;

/// Services that act for a user who is logged in already, or for one who is not there.
const NO_LOGINS: [&str; 9] = [
    "atd",
    "cron",
    "crond",
    "polkit-1",
    "runuser",
    "su",
    "sudo",
    "sudo-i",
    "systemd-user",
];
/// After this long a person wants to know what is going on.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a login or logout waits for what is about to end, while nothing is written.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often to ask.
const MOMENT: Duration = Duration::from_millis(50);
/// How long after a login stops waiting the server is given to notice.
const GRACE: Duration = Duration::from_secs(2);

/// What PAM says about the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// `PAM_USER`.
    pub user: String,
    /// `PAM_SERVICE`.
    pub service: String,
    /// `PAM_TTY`, the name of a terminal or of a display.
    pub terminal: String,
    /// Whether `PAM_RHOST` names a computer, if only this one: who connects to it from itself need not
    /// sit at it.
    pub remote: bool,
}

impl Session {
    /// From the environment that pam_exec(8) makes.
    #[must_use]
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        Self {
            user: variable("PAM_USER"),
            service: variable("PAM_SERVICE"),
            terminal: variable("PAM_TTY"),
            remote: !variable("PAM_RHOST").is_empty(),
        }
    }

    /// Whose it is, if it is a login of somebody who can have a home on a stick.
    fn person(&self) -> Option<Person> {
        let is_login = !NO_LOGINS.contains(&self.service.trim_end_matches("-l"));
        is_login.then(|| Person::named(&self.user)).flatten()
    }
}

/// A session opens: gets the home and says how it went.
///
/// # Errors
/// Those of the files in `/run`.
pub fn open(session: &Session) -> io::Result<()> {
    let Some(person) = session.person() else {
        return Ok(());
    };
    let left = serve::is_mounted(&person);
    // What is mounted there may be dead: nothing is looked up in it.
    if !left && !person.is_enabled() {
        return Ok(());
    }
    let place = Place::of(person.uid)?;
    let was_pulled = place.is_pulled();
    let outcome = if has_systemd() {
        systemd::open(&person, &place, session.remote)
    } else {
        alone::open(&person, &place, session.remote)
    };
    match outcome {
        Ok(()) if left && !was_pulled && serve::is_mounted(&person) => {}
        Ok(()) => say(&place.said().unwrap_or_default()),
        Err(why) => say(&why),
    }
    Ok(())
}

/// A session closes: lets the home go if it was the last.
///
/// # Errors
/// Those of the files in `/run`.
pub fn close(session: &Session) -> io::Result<()> {
    let Some(person) = session.person() else {
        return Ok(());
    };
    let Some(place) = Place::existing(person.uid)? else {
        return Ok(());
    };
    let mut farewell = Farewell::at(&session.terminal, &person, &place);
    let is_shown = serve::is_mounted(&person);
    if is_shown {
        farewell.save(&person);
    }
    match has_systemd() {
        true if is_shown => systemd::close(&person),
        true => {}
        false => alone::close(&place, &mut farewell)?,
    }
    Ok(())
}

/// Waits until something holds, no longer than [`FAREWELL`]; whether it does.
fn comes_true(mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + FAREWELL;
    while !holds() {
        if Instant::now() > end {
            return false;
        }
        thread::sleep(MOMENT);
    }
    true
}

fn stick_is_away(place: &Place) -> String {
    let pulled = "The stick with your home was pulled out while you are logged in";
    match place.refused() {
        Some(why) => format!("{pulled}. The one that was plugged in since cannot be used: {why}."),
        None => format!("{pulled}: plug it in again to go on."),
    }
}

fn still_used() -> String {
    format!(
        "Programs still use your home of the last session, or its stick is still being written or \
         checked. Log out and in again later. {HERE}"
    )
}

fn logged_in_without() -> String {
    String::from(
        "You are logged in already with your home on this computer. \
         To have the one on the stick, log out everywhere and log in again.",
    )
}

/// Lets `start` get the home, for as long as a login may wait.
fn wait_for_home(
    place: &Place,
    remote: bool,
    start: impl FnOnce(&Cancel) -> Result<(), String>,
) -> Result<(), String> {
    let waiting = Waiting::from_now(PATIENCE, remote);
    place.wait(waiting).map_err(|error| error.to_string())?;
    let cancel = Cancel::new();
    let (begin, _stop) = (Instant::now(), patience(cancel.clone()));
    let started = start(&cancel);
    if cancel.is_cancelled() {
        tracing::warn!(waited = ?begin.elapsed(), "gave up waiting");
        return Err(too_late());
    }
    started
}

/// Speaks up when it takes long and cancels when it takes too long, until what it returns is
/// dropped.
fn patience(cancel: Cancel) -> Sender<()> {
    let (stop, stopped) = channel::<()>();
    thread::spawn(move || {
        let is_late = |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        if is_late(SILENCE) {
            say("Getting your home from the stick...");
            if is_late(PATIENCE + GRACE - SILENCE) {
                cancel.cancel();
            }
        }
    });
    stop
}

fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Says something at the login. A login that does not listen is none of our business.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end());
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logins_get_a_home() {
        let session = |user: &str, service: &str| Session {
            user: user.into(),
            service: service.into(),
            ..Session::default()
        };
        assert!(session("daemon", "login").person().is_some());
        assert!(session("daemon", "sshd").person().is_some());
        for service in ["su", "su-l", "sudo", "cron", "systemd-user", "runuser-l"] {
            assert_eq!(session("daemon", service).person(), None, "{service}");
        }
        for user in ["", "root", "no-such-account-here", "../daemon"] {
            assert_eq!(session(user, "login").person(), None, "{user}");
        }
    }
}
