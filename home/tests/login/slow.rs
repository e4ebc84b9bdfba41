//! Sticks that take their time: who logs out waits for them, and so does systemd.

use crate::common::{PROGRAM, command, wait_until};
use crate::computer::{ANN, Computer, UID};
use crate::stick::Stick;
use crate::trouble::stick_that_can_hang;
use crate::{LIMIT, vacant};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::{FlockOperation, flock};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a logout waits for what does not come to an end, while the stick takes nothing.
const FAREWELL: Duration = Duration::from_secs(10);

/// What they share, as `UID` is.
pub const PLACE: &str = "/run/wendy-home/61234";
const READY: &str = "READY=1\n";
const MORE_TIME: &str = "EXTEND_TIMEOUT_USEC=180000000\n";

/// A terminal to log out at.
struct Terminal {
    side: OwnedFd,
    shown: String,
}

impl Terminal {
    fn new() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let side = openpt(flags).unwrap();
        unlockpt(&side).unwrap();
        rustix::io::ioctl_fionbio(&side, true).unwrap();
        Self {
            side,
            shown: String::new(),
        }
    }

    fn name(&self) -> String {
        ptsname(&self.side, Vec::new())
            .unwrap()
            .into_string()
            .unwrap()
    }

    /// Whether it shows these words by now.
    fn shows(&mut self, words: &str) -> bool {
        let mut bytes = [0; 4096];
        if let Ok(count) = rustix::io::read(&self.side, &mut bytes) {
            self.shown += &String::from_utf8_lossy(&bytes[..count]);
        }
        self.shown.contains(words)
    }
}

#[test]
fn a_logout_takes_as_long_as_the_stick_and_says_why() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let (server_of_disk, stick) = stick_that_can_hang(&computer);
    let mut terminal = Terminal::new();
    let mut session = computer.log_in_at(ANN, &terminal.name());
    let letter = vec![b'x'; 4 << 20];
    fs::write(computer.home().join("letter"), &letter).unwrap();
    server_of_disk.signal(Signal::SIGSTOP);
    let begin = Instant::now();
    session.begin_to_log_out();
    let mut told = false;
    while begin.elapsed() < FAREWELL + Duration::from_secs(3) {
        told |= terminal.shows("still being written to the stick: leave it plugged in");
        sleep(Duration::from_millis(50));
    }
    let (ended, shown) = (session.ended(), computer.has_home());
    server_of_disk.signal(Signal::SIGCONT);
    assert!(told, "{}", terminal.shown);
    assert!(!ended && shown, "it did not wait");
    session.wait_for_end();
    assert!(terminal.shows("is on the stick now"), "{}", terminal.shown);
    assert!(!computer.has_home());
    stick.look_into(&computer, |bare| {
        assert!(fs::read(bare.join("pershome/letter")).unwrap() == letter);
    });
    drop(stick);
    server_of_disk.end();
}

#[test]
fn what_goes_fast_is_not_talked_about() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    let mut terminal = Terminal::new();
    let session = computer.log_in_at(ANN, &terminal.name());
    fs::write(computer.home().join("letter"), "dear").unwrap();
    session.log_out();
    assert!(!terminal.shows("stick"), "{}", terminal.shown);
}

/// A server whose systemd is the test.
pub struct Served {
    systemd: UnixDatagram,
    pub server: Child,
}

impl Served {
    /// Somebody waits at the login for so many milliseconds.
    pub fn new(computer: &Computer, patience: i64) -> Self {
        let socket = computer.file("systemd");
        let _ = fs::remove_file(&socket);
        let systemd = UnixDatagram::bind(&socket).unwrap();
        systemd.set_read_timeout(Some(LIMIT)).unwrap();
        fs::create_dir_all(PLACE).unwrap();
        let until = clock_gettime(ClockId::Boottime).tv_sec * 1000 + patience;
        fs::write(format!("{PLACE}/waiting"), format!("{until} seat\n")).unwrap();
        let server = command(PROGRAM)
            .args(["login", "serve", &UID.to_string()])
            .env("NOTIFY_SOCKET", &socket)
            .spawn()
            .unwrap();
        Self { systemd, server }
    }

    /// What systemd is told next.
    fn hear(&self) -> String {
        let mut bytes = [0; 256];
        let count = self.systemd.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    fn end(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.server.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        wait_until(
            "the server ends",
            LIMIT,
            || matches!(self.server.try_wait(), Ok(Some(status)) if status.success()),
        );
    }
}

#[test]
fn a_server_that_does_not_end_holds_a_login_up_for_a_moment_only() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    fs::create_dir_all(PLACE).unwrap();
    let other = fs::File::create(format!("{PLACE}/server")).unwrap();
    flock(&other, FlockOperation::LockExclusive).unwrap();
    let mut served = Served::new(&computer, 4_000);
    assert_eq!(served.hear(), READY);
    let said = fs::read_to_string(format!("{PLACE}/said")).unwrap();
    assert!(said.contains("does not answer"), "{said}");
    assert!(served.server.wait().unwrap().success());
    assert!(!computer.has_home());
}

#[test]
fn systemd_is_asked_for_time_while_the_stick_takes_something() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    let served = Served::new(&computer, 60_000);
    assert_eq!(served.hear(), READY);
    fs::write(computer.home().join("letter"), "dear").unwrap();
    assert_eq!(served.hear(), MORE_TIME);
    served.end();
}

#[test]
fn systemd_is_asked_for_time_while_a_stick_is_checked() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let _stick = Stick::new(&computer, "STICK", vacant);
    let done = computer.file("done");
    let check = format!(
        "#!/bin/sh\nwhile [ ! -e {} ]; do echo block; sleep 1; done\n",
        done.display()
    );
    computer.play("/usr/sbin/e2fsck", &check);
    let served = Served::new(&computer, 60_000);
    assert_eq!(served.hear(), MORE_TIME);
    assert_eq!(served.hear(), MORE_TIME, "once more");
    fs::write(done, "").unwrap();
    wait_until("the check is over", LIMIT, || served.hear() == READY);
    served.end();
}
