//! The end of a session, which waits for the stick: for as long as that takes what is written to it.
//!
//! Nothing of this can be told through PAM: login(1) has closed its output, and the kernel has cut the
//! terminal off, when the session closes. So the terminal is opened anew.

use super::super::pace::Pace;
use super::super::person::Person;
use super::super::place::Place;
use super::{FAREWELL, MOMENT, PATIENCE, SILENCE};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const SAVING: &str =
    "Your home is still being written to the stick: leave it plugged in until that is done.";
const SAVED: &str = "All that was written is on the stick now.";
const NOT_SAVED: &str = "What you wrote last could not be put on the stick.";
const NO_ANSWER: &str = "The stick does not answer any more: what you wrote last may not be on it.";
const ENDING: &str =
    "Programs still use your home, or it is still being written: leave the stick plugged in.";

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Farewell<'a> {
    place: &'a Place,
    terminal: Option<Terminal>,
    told: bool,
}

impl<'a> Farewell<'a> {
    /// For a session at the terminal that PAM calls by that name.
    pub(super) fn at(terminal: &str, person: &Person, place: &'a Place) -> Self {
        Self {
            place,
            terminal: Terminal::named(terminal, person),
            told: false,
        }
    }

    /// Where nobody is to be told anything.
    pub(super) fn unseen(place: &'a Place) -> Self {
        Self {
            place,
            terminal: None,
            told: false,
        }
    }

    /// Makes durable what was written so far: who logs out is about to pull the stick. A process of its own
    /// does it, because one that waits for a dead stick does not end.
    pub(super) fn save(&mut self, person: &Person) {
        let mut sync = match start_sync(person) {
            Ok(sync) => sync,
            Err(_) => return self.tell(NOT_SAVED),
        };
        let mut ended = None;
        self.wait(PATIENCE, SAVING, || {
            ended = sync.try_wait().transpose();
            ended.is_some()
        });
        match ended {
            Some(Ok(status)) if status.success() && !self.told => {}
            Some(Ok(status)) if status.success() => self.tell(SAVED),
            Some(_) => self.tell(NOT_SAVED),
            None => self.tell(NO_ANSWER),
        }
        self.told = false;
    }

    /// Waits until the server has ended. One whose home is still used does so later.
    pub(super) fn see_off(&mut self) {
        self.wait(FAREWELL, ENDING, || self.place.server().is_none());
    }

    /// Waits until something holds, or the stick has taken nothing for so long; says why if it takes a
    /// while.
    fn wait(&mut self, standstill: Duration, why: &str, mut holds: impl FnMut() -> bool) {
        let (begin, mut pace) = (Instant::now(), Pace::of(self.place));
        let mut last_sign = begin;
        while !holds() && last_sign.elapsed() <= standstill {
            if pace.goes_on() {
                last_sign = Instant::now();
            }
            if begin.elapsed() > SILENCE && !self.told {
                self.told = true;
                self.tell(why);
            }
            thread::sleep(MOMENT);
        }
    }

    fn tell(&self, text: &str) {
        if let Some(terminal) = &self.terminal {
            terminal.tell(text);
        }
    }
}

fn start_sync(person: &Person) -> io::Result<Child> {
    #[allow(
        clippy::disallowed_methods,
        reason = "it is not waited for as long as a tool would be"
    )]
    Command::new("/proc/self/exe")
        .arg("sync")
        .arg(&person.home)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// The terminal of a session.
#[derive(Debug)]
struct Terminal {
    path: PathBuf,
    user: u32,
}

impl Terminal {
    /// The one of that name, with or without its directory, if it can be one: displays have names as well.
    fn named(name: &str, person: &Person) -> Option<Self> {
        let name = name.strip_prefix("/dev/").unwrap_or(name);
        let number = name
            .strip_prefix("tty")
            .or_else(|| name.strip_prefix("pts/"))?;
        let is_plain = !number.is_empty() && number.bytes().all(|it| it.is_ascii_alphanumeric());
        is_plain.then(|| Self {
            path: Path::new("/dev").join(name),
            user: person.uid,
        })
    }

    /// Says something there. Whether anybody sees it is none of our business.
    fn tell(&self, text: &str) {
        if let Some(mut terminal) = self.open() {
            let _ = write!(terminal, "\r\n{text}\r\n");
        }
    }

    /// Opens it if it is nobody else's by now, so that nothing here waits for it.
    fn open(&self) -> Option<File> {
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&self.path, flags, Mode::empty()).ok()?;
        let terminal = File::from(terminal);
        let owner = terminal.metadata().ok()?.uid();
        let is_ours = owner == 0 || owner == self.user;
        (is_ours && terminal.is_terminal()).then_some(terminal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Option<PathBuf> {
        let person = Person {
            name: "ann".into(),
            uid: 1,
            gid: 1,
            home: PathBuf::from("/"),
        };
        Terminal::named(name, &person).map(|it| it.path)
    }

    #[test]
    fn only_what_can_be_a_terminal_is_one() {
        assert_eq!(named("tty2"), Some(PathBuf::from("/dev/tty2")));
        assert_eq!(named("/dev/tty2"), Some(PathBuf::from("/dev/tty2")));
        assert_eq!(named("/dev/pts/7"), Some(PathBuf::from("/dev/pts/7")));
        for name in [
            "",
            ":0",
            "ssh",
            "tty",
            "sda",
            "pts/../sda",
            "/etc/tty1",
            "tty/../sda",
        ] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
