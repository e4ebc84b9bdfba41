//! Who is logged in, counted by the hook itself where systemd does not run.
//!
//! A session is the process that opened it and will close it, such as login(1) or sshd(8). One that
//! was killed instead is noticed by its start time, so a number used again does not count for it.

use super::place::Place;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};

/// The sessions of one user, locked against other hooks.
#[derive(Debug)]
pub struct Sessions {
    file: File,
    open: Vec<Session>,
}

/// The process that opened a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Session {
    pid: i32,
    /// In clock ticks since the boot.
    started: u64,
}

impl Sessions {
    /// Those of the user of `place` whose processes still live.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn of(place: &Place) -> io::Result<Self> {
        let mut file = place.locked("sessions", true)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let open = text.lines().filter_map(Session::parse);
        Ok(Self {
            open: open.filter(Session::lives).collect(),
            file,
        })
    }

    /// Whether nobody is logged in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Adds one opened by the process `pid`.
    ///
    /// # Errors
    /// Those of writing the file.
    pub fn enter(&mut self, pid: i32) -> io::Result<()> {
        let started = start_time(pid).unwrap_or_default();
        self.open.push(Session { pid, started });
        self.write()
    }

    /// Removes one opened by the process `pid`.
    ///
    /// # Errors
    /// Those of writing the file.
    pub fn leave(&mut self, pid: i32) -> io::Result<()> {
        if let Some(at) = self.open.iter().position(|session| session.pid == pid) {
            self.open.remove(at);
        }
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let lines = self
            .open
            .iter()
            .map(|session| format!("{} {}\n", session.pid, session.started));
        let text: String = lines.collect();
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

impl Session {
    fn parse(line: &str) -> Option<Self> {
        let (pid, started) = line.split_once(' ')?;
        Some(Self {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        })
    }

    fn lives(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }
}

/// Field 22 of `/proc/PID/stat` (proc(5)); the name before may hold anything but ends with `)`.
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(open: Vec<Session>) -> Sessions {
        let file = tempfile::tempfile().unwrap();
        Sessions { file, open }
    }

    #[test]
    fn each_logout_ends_one_session() {
        let me = i32::try_from(std::process::id()).unwrap();
        let mut sessions = sessions(Vec::new());
        sessions.enter(me).unwrap();
        sessions.enter(me).unwrap();
        sessions.leave(me).unwrap();
        assert!(!sessions.is_empty() && sessions.open[0].lives());
        sessions.leave(me + 1).unwrap();
        assert!(!sessions.is_empty());
        sessions.leave(me).unwrap();
        assert!(sessions.is_empty());
    }

    #[test]
    fn another_process_of_the_same_number_is_no_session() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let started = start_time(pid).unwrap();
        assert!(Session { pid, started }.lives());
        let before = started - 1;
        assert!(
            !Session {
                pid,
                started: before
            }
            .lives()
        );
        assert_eq!(Session::parse("7"), None);
    }
}
