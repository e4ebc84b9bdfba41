//! The hook where systemd does not run: it starts the server and counts the sessions by itself.

use super::super::person::Person;
use super::super::place::Place;
use super::{Farewell, Sessions};
use super::{logged_in_without, serve, stick_is_away, still_used, wait_for_home};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, getppid, kill_process};
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use wendy_sys::Cancel;

pub(super) fn open(person: &Person, place: &Place, remote: bool) -> Result<(), String> {
    let words = |error: io::Error| format!("Your home cannot be taken from a stick: {error}.");
    let mut sessions = Sessions::of(place).map_err(words)?;
    let first = sessions.is_empty();
    sessions.enter(parent()).map_err(words)?;
    if first && place.is_pulled() {
        end_server(place, &mut Farewell::unseen(place)).map_err(words)?;
    }
    if place.server().is_some() {
        return match (serve::is_mounted(person), place.is_pulled()) {
            (true, false) => Ok(()),
            (true, true) => Err(stick_is_away(place)),
            (false, _) => Err(still_used()),
        };
    }
    if !first && !serve::is_mounted(person) {
        return Err(logged_in_without());
    }
    wait_for_home(place, remote, |cancel| {
        start(person.uid, place, cancel).map_err(words)
    })
}

pub(super) fn close(place: &Place, farewell: &mut Farewell<'_>) -> io::Result<()> {
    let mut sessions = Sessions::of(place)?;
    sessions.leave(parent())?;
    if !sessions.is_empty() {
        return Ok(());
    }
    end_server(place, farewell)
}

fn end_server(place: &Place, farewell: &mut Farewell<'_>) -> io::Result<()> {
    if let Some(server) = place.server() {
        kill_process(server, Signal::TERM)?;
    }
    farewell.see_off();
    Ok(())
}

/// The process that logs somebody in: pam_exec(8) runs in it.
fn parent() -> i32 {
    getppid().map_or(0, |pid| pid.as_raw_nonzero().get())
}

/// Starts the server and waits until it is ready, which it tells by closing its standard output.
fn start(uid: u32, place: &Place, cancel: &Cancel) -> io::Result<()> {
    #[allow(
        clippy::disallowed_methods,
        reason = "it outlives this process, which a tool never does"
    )]
    let mut command = Command::new("/proc/self/exe");
    let mut server = command
        .args(["login", "serve", &uid.to_string()])
        .env_clear()
        .env("RUST_LOG", "info")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(place.log()?)
        .spawn()?;
    let ready = server.stdout.take().map(OwnedFd::from);
    let ready = ready.expect("piped just above");
    let bell = cancel.bell().map_err(io::Error::other)?;
    let mut fds = [
        PollFd::new(&ready, PollFlags::IN),
        PollFd::new(&bell, PollFlags::IN),
    ];
    rustix::io::retry_on_intr(|| poll(&mut fds, None))?;
    Ok(())
}
