//! The directory in `/run` that hook and server share: `/run/wendy-home/UID`, for root only.
//!
//! | file | content |
//! |---|---|
//! | `waiting` | until when somebody waits at the login, and whether they sit at this computer |
//! | `pulled` | there while the stick of a home in use is not: empty, or why it was refused when it came back |
//! | `said` | what the server has to say to them, in whole lines |
//! | `server` | the server's process number, locked while it runs |
//! | `log` | what the server says to administrators, where systemd does not take it |
//! | `sessions` | who is logged in, see [`sessions`](super::sessions) |
//! | `stick/` | where the stick is mounted |

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, unlinkat};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};
use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use wendy_sys::{DevNum, dir, mountinfo};

const RUN: &str = "/run/wendy-home";
const SMALL: usize = 4096;
/// How often to ask whether another server has ended.
const MOMENT: Duration = Duration::from_millis(50);
const SERVER: &str = "server";
const PULLED: &str = "pulled";

/// Somebody who waits at the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Time since the boot at which they stop waiting.
    pub until: Duration,
    /// Whether they came over the network.
    pub remote: bool,
}

impl Waiting {
    /// For `patience` from now on.
    #[must_use]
    pub fn from_now(patience: Duration, remote: bool) -> Self {
        Self {
            until: since_boot() + patience,
            remote,
        }
    }

    /// Whether they still wait.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !self.left().is_zero()
    }

    /// How long they still wait.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.until.saturating_sub(since_boot())
    }

    fn render(self) -> String {
        let from = if self.remote { "network" } else { "seat" };
        format!("{} {from}\n", self.until.as_millis())
    }

    fn parse(text: &str) -> Option<Self> {
        let (until, from) = text.trim_end().split_once(' ')?;
        Some(Self {
            until: Duration::from_millis(until.parse().ok()?),
            remote: from != "seat",
        })
    }
}

/// The directory of one user.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    dir: OwnedFd,
}

impl Place {
    /// The directory if somebody has made it.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn existing(uid: u32) -> io::Result<Option<Self>> {
        match Self::open(uid) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Makes the directory if it is missing.
    ///
    /// # Errors
    /// Those of mkdir(2) and open(2).
    pub fn of(uid: u32) -> io::Result<Self> {
        let path = Path::new(RUN).join(uid.to_string());
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&path)?;
        Self::open(uid)
    }

    fn open(uid: u32) -> io::Result<Self> {
        let path = Path::new(RUN).join(uid.to_string());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&path, flags, Mode::empty())?;
        Ok(Self { path, dir })
    }

    /// Where the stick is mounted.
    ///
    /// # Errors
    /// Those of mkdir(2).
    pub fn stick(&self) -> io::Result<PathBuf> {
        let path = self.path.join("stick");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        Ok(path)
    }

    /// Number of the device that is mounted there, if one is.
    #[must_use]
    pub fn device(&self) -> Option<DevNum> {
        let at = self.path.join("stick");
        let mounts = mountinfo::read().ok()?;
        let mount = mounts.into_iter().rfind(|mount| mount.mount_point == at)?;
        Some(mount.devnum)
    }

    /// Makes this process the server of the user, once no other is, until the result is dropped. One that
    /// is about to end may hang on a dead stick: it is waited for as long as somebody waits at the login.
    ///
    /// # Errors
    /// `WouldBlock` if another still is, those of writing a file.
    pub fn serve(&self) -> io::Result<File> {
        let mut file = loop {
            match self.locked(SERVER, false) {
                Err(error) if is_taken(&error) && self.waiting().is_some() => thread::sleep(MOMENT),
                other => break other?,
            }
        };
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(file)
    }

    /// The server, if one runs.
    #[must_use]
    pub fn server(&self) -> Option<Pid> {
        match self.locked(SERVER, false) {
            Err(error) if is_taken(&error) => {}
            _ => return None,
        }
        Pid::from_raw(self.read(SERVER)?.trim_end().parse().ok()?)
    }

    /// An empty file for the server's log.
    ///
    /// # Errors
    /// Those of openat(2).
    pub fn log(&self) -> io::Result<File> {
        let file = self.opened("log")?;
        file.set_len(0)?;
        Ok(file)
    }

    /// A file of the directory, for reading and writing, made if missing and locked for as long as
    /// it is open.
    ///
    /// # Errors
    /// `WouldBlock` when somebody else has it and `wait` is not set; those of openat(2).
    pub fn locked(&self, name: &str, wait: bool) -> io::Result<File> {
        let file = self.opened(name)?;
        let how = if wait {
            FlockOperation::LockExclusive
        } else {
            FlockOperation::NonBlockingLockExclusive
        };
        flock(&file, how)?;
        Ok(file)
    }

    fn opened(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(file))
    }

    /// Notes that somebody waits.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn wait(&self, waiting: Waiting) -> wendy_sys::Result<()> {
        self.write("waiting", &waiting.render())
    }

    /// Who waits, if anybody does.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        Waiting::parse(&self.read("waiting")?).filter(Waiting::is_there)
    }

    /// Notes what there is to say.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn say(&self, text: &str) -> wendy_sys::Result<()> {
        self.write("said", text)
    }

    /// What there is to say, if anything.
    #[must_use]
    pub fn said(&self) -> Option<String> {
        self.read("said").filter(|text| !text.is_empty())
    }

    /// Notes that the stick of a home in use is away, and why it was refused if it came back.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn note_pulled(&self, refused: &str) -> wendy_sys::Result<()> {
        self.write(PULLED, refused)
    }

    /// Notes that no stick of a home in use is away.
    ///
    /// # Errors
    /// Those of removing a file.
    pub fn note_present(&self) -> wendy_sys::Result<()> {
        match unlinkat(&self.dir, PULLED, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(wendy_sys::Error::Os {
                what: format!("remove {}", self.path.join(PULLED).display()),
                source: error.into(),
            }),
        }
    }

    /// Whether the stick of a home in use is away.
    #[must_use]
    pub fn is_pulled(&self) -> bool {
        self.read(PULLED).is_some()
    }

    /// Why the stick of a home in use was refused when it came back, if it was.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.read(PULLED).filter(|why| !why.is_empty())
    }

    fn write(&self, name: &str, text: &str) -> wendy_sys::Result<()> {
        dir::write_atomic(&self.dir, name, text.as_bytes(), 0o600)
    }

    fn read(&self, name: &str) -> Option<String> {
        String::from_utf8(dir::read_small(&self.dir, name, SMALL).ok()?).ok()
    }
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Time since the boot, suspended time included: no clock that anybody sets.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_read_back_as_written() {
        let waiting = Waiting::from_now(Duration::from_secs(9), true);
        let read = Waiting::parse(&waiting.render()).unwrap();
        assert_eq!(read.until.as_millis(), waiting.until.as_millis());
        assert!(read.remote && read.is_there());
        assert!(!Waiting::from_now(Duration::ZERO, false).is_there());
    }

    #[test]
    fn what_cannot_be_read_waits_for_nothing() {
        for text in ["", "soon seat", "-1 seat", "12"] {
            assert_eq!(Waiting::parse(text), None, "{text}");
        }
    }
}
