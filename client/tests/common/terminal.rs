//! wendyctl on a pseudo-terminal, as a person meets it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

use super::{PrivateBus, command};

/// A process whose controlling terminal is ours.
pub struct Terminal {
    pub child: Child,
    master: File,
    seen: String,
}

impl Terminal {
    /// Starts wendyctl on a terminal of 100 columns.
    pub fn start(bus: &PrivateBus, args: &[&str]) -> Self {
        let mut wendyctl = on_terminal();
        wendyctl.arg(env!("CARGO_BIN_EXE_wendyctl")).args(args);
        Self::spawn(bus, wendyctl)
    }

    /// Starts a shell command on a terminal; `$WENDYCTL` is wendyctl.
    pub fn shell(bus: &PrivateBus, line: &str) -> Self {
        let mut shell = on_terminal();
        shell.args(["sh", "-c", line]);
        Self::spawn(bus, shell)
    }

    fn spawn(bus: &PrivateBus, mut command: Command) -> Self {
        let size = Winsize {
            ws_row: 30,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).unwrap();
        keep_what_is_shown(&pty.slave);
        bus.surround(&mut command);
        command.env("WENDYCTL", env!("CARGO_BIN_EXE_wendyctl"));
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        command
            .stdin(end(&pty.slave))
            .stdout(end(&pty.slave))
            .stderr(end(&pty.slave));
        let child = command.spawn().unwrap();
        Self {
            child,
            master: File::from(pty.master),
            seen: String::new(),
        }
    }

    /// Reads until this has been shown.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) {
        while !self.seen.contains(words) {
            assert!(self.read(), "it ended without {words:?}: {}", self.seen);
        }
    }

    pub fn type_line(&mut self, line: &str) {
        writeln!(self.master, "{line}").unwrap();
    }

    /// Reads to the end: exit status and all that was shown.
    pub fn end(mut self) -> (i32, String) {
        while self.read() {}
        let status = self.child.wait().unwrap();
        (status.code().expect("ended by itself"), self.seen)
    }

    /// Whether there was more to read; the kernel answers EIO once the other side has closed.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let length = self.master.read(&mut buffer).unwrap_or(0);
        self.seen
            .push_str(&String::from_utf8_lossy(&buffer[..length]));
        length > 0
    }
}

/// Ctrl-C lets the kernel throw away what waits to be shown, after the signal: what the program says
/// about it may be among that (termios(3), `NOFLSH`).
fn keep_what_is_shown(slave: &OwnedFd) {
    let mut settings = tcgetattr(slave).unwrap();
    settings.local_flags.insert(LocalFlags::NOFLSH);
    tcsetattr(slave, SetArg::TCSANOW, &settings).unwrap();
}

fn on_terminal() -> Command {
    let mut setsid = command("setsid");
    setsid.args(["--ctty", "--wait"]);
    setsid
}
