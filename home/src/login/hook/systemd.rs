//! The hook where systemd runs: a unit is the server, and logind knows who is logged in.

use super::super::person::Person;
use super::super::place::Place;
use super::{HERE, comes_true, logged_in_without, serve};
use super::{stick_is_away, still_used, wait_for_home};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;
use wendy_sys::{Cancel, Error, tool::Tool};

/// How long one of systemd's tools may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

pub(super) fn open(person: &Person, place: &Place, remote: bool) -> Result<(), String> {
    let home = home_unit(person);
    let got = get(person, place, remote, &home);
    if got.is_err() {
        hold_nobody_up(&home, place);
    }
    got
}

fn get(person: &Person, place: &Place, remote: bool, home: &str) -> Result<(), String> {
    if place.is_pulled() || !serve::is_mounted(person) {
        make_way(person, place)?;
        // One whose stick is away is nobody's any more.
        if serve::is_mounted(person) {
            answer("systemctl", &["stop", home]);
        }
    }
    wait_until_let_go(home)?;
    wait_for_home(place, remote, |cancel| {
        let run = Tool::new("systemctl").args(["start", home]);
        run.run(cancel).map(drop).map_err(|_| failed(person))
    })
}

/// The rest of the login waits for the user's manager, and that for a job of the home's unit, which is
/// ordered before it. Without its job the unit goes on with what it has begun, and nobody waits for it
/// (systemd's `bus_job_method_cancel()`); but a computer that shuts down has to.
fn hold_nobody_up(home: &str, place: &Place) {
    let goes_on = match state_of(home).as_deref() {
        Some("deactivating") => true,
        // Another login may wait for the same start.
        Some("activating") => place.waiting().is_none(),
        _ => false,
    };
    if !goes_on || is_shutting_down() {
        return;
    }
    // Without a number it would cancel the jobs of all units.
    if let Some(job) = property(home, "Job").filter(|job| !job.is_empty()) {
        answer("systemctl", &["cancel", &job]);
    }
}

/// Usually systemd does it all: the unit ends with the user's last session. Unless logind was never
/// told of this one.
pub(super) fn close(person: &Person) {
    let manager = state_of(&manager_unit(person));
    if matches!(manager.as_deref(), Some("inactive" | "failed")) {
        answer("systemctl", &["stop", "--no-block", &home_unit(person)]);
    }
}

/// Waits for a unit that is about to end: starting it again would hold up the login until it has.
fn wait_until_let_go(home: &str) -> Result<(), String> {
    let is_let_go = || state_of(home).as_deref() != Some("deactivating");
    if comes_true(is_let_go) {
        Ok(())
    } else {
        Err(still_used())
    }
}

/// Makes sure that nothing of the user runs in the home of this computer, or in a dead one.
fn make_way(person: &Person, place: &Place) -> Result<(), String> {
    let is_shown = serve::is_mounted(person);
    match state_of_user(person)?.as_deref() {
        Some("opening" | "active" | "online") if is_shown => Err(stick_is_away(place)),
        Some("opening" | "active" | "online") => Err(logged_in_without()),
        Some("lingering") => Err(format!(
            "Programs of yours run even while you are logged out, so your home stays on this \
             computer. To have it on a stick: loginctl disable-linger {}, restart, log in.",
            person.name
        )),
        // What runs in a dead home has nothing to lose.
        Some("closing") if is_shown || comes_true(|| has_no_sessions(person)) => {
            end_manager(person)
        }
        Some("closing") => Err(still_runs(person)),
        _ => Ok(()),
    }
}

/// Within seconds of the last logout: what is left ends now instead of in a moment.
fn end_manager(person: &Person) -> Result<(), String> {
    let manager = manager_unit(person);
    answer("systemctl", &["stop", &manager]);
    match state_of(&manager).as_deref() {
        Some("inactive" | "failed") => Ok(()),
        _ => Err(still_used()),
    }
}

/// Programs that outlive a logout keep its session (logind.conf(5), `KillUserProcesses=`).
fn still_runs(person: &Person) -> String {
    format!(
        "Programs of your last session still run in your home on this computer. To have the one on \
         the stick, end them, which logs you out as well, and log in again: loginctl terminate-user {}.",
        person.name
    )
}

fn failed(person: &Person) -> String {
    let unit = home_unit(person);
    format!(
        "Your home could not be taken from a stick; root finds why with: journalctl -u {unit}. {HERE}"
    )
}

fn home_unit(person: &Person) -> String {
    format!("wendy-home@{}.service", person.uid)
}

/// All that runs for a user outside of sessions, from the first login to the last logout.
fn manager_unit(person: &Person) -> String {
    format!("user@{}.service", person.uid)
}

/// `ActiveState` of a unit; `None` if nobody answers.
fn state_of(unit: &str) -> Option<String> {
    property(unit, "ActiveState")
}

fn property(unit: &str, name: &str) -> Option<String> {
    let name = format!("--property={name}");
    answer("systemctl", &["show", &name, "--value", unit])
}

fn is_shutting_down() -> bool {
    let state = answer("systemctl", &["show", "--property=SystemState", "--value"]);
    state.as_deref() == Some("stopping")
}

/// `State` of a user; `None` if logind knows no such user.
fn state_of_user(person: &Person) -> Result<Option<String>, String> {
    of_user(person, "State")
        .map_err(|_| format!("systemd does not say whether you are logged in already. {HERE}"))
}

/// Whether nothing of the user is left but their manager, which counts as a session of its own class since
/// systemd 256.
fn has_no_sessions(person: &Person) -> bool {
    let Ok(sessions) = of_user(person, "Sessions") else {
        return false;
    };
    let sessions = sessions.unwrap_or_default();
    let mut classes = vec!["show-session", "--property=Class", "--value"];
    classes.extend(sessions.split_whitespace());
    sessions.is_empty()
        || answer("loginctl", &classes).is_some_and(|classes| {
            let mut classes = classes.split_whitespace();
            classes.all(|class| class.starts_with("manager"))
        })
}

/// A property of a user; `None` if logind knows no such user, an error if it does not answer in time.
fn of_user(person: &Person, name: &str) -> wendy_sys::Result<Option<String>> {
    let name = format!("--property={name}");
    match ask("loginctl", &["show-user", &name, "--value", &person.name]) {
        Err(Error::Tool { .. }) => Ok(None),
        other => other.map(Some),
    }
}

/// What a tool prints, its last line end removed; `None` if it fails or takes too long.
fn answer(tool: &str, arguments: &[&str]) -> Option<String> {
    ask(tool, arguments).ok()
}

/// The same, with the difference between the two.
///
/// # Errors
/// [`Error::Tool`] if it fails, [`Error::Cancelled`] if it takes too long.
fn ask(tool: &str, arguments: &[&str]) -> wendy_sys::Result<String> {
    let cancel = Cancel::new();
    let (_stop, stopped) = channel::<()>();
    let late = cancel.clone();
    thread::spawn(move || {
        if stopped.recv_timeout(ANSWER) == Err(RecvTimeoutError::Timeout) {
            late.cancel();
        }
    });
    let output = Tool::new(tool).args(arguments).run(&cancel)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    Ok(printed.trim_end().to_owned())
}
