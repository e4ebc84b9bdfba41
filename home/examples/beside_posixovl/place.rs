//! Where the work is done: a fresh ext4 on a loop device in memory, bare or with a filesystem in
//! front of it, mounted where only this process and its children see it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, syncfs};
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount,
};
use wendy_layers::testing::{Disk, tool};

use crate::Outcome;

/// As large as an ordinary stick; it takes as much memory as is written to it.
const SIZE: u64 = 16 << 30;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The lower filesystem itself.
    Ext4,
    /// posixovl with `-F`, which keeps all metadata in files of its own as it does on FAT.
    Posixovl,
    /// The least that a filesystem does.
    Floor,
    /// Ours.
    Wendy,
}

impl Contender {
    pub const ALL: [Self; 4] = [Self::Ext4, Self::Posixovl, Self::Floor, Self::Wendy];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Posixovl => "posixovl -F",
            Self::Floor => "least FUSE",
            Self::Wendy => "wendy-home",
        }
    }
}

/// A contender on a filesystem of its own.
pub struct Place {
    contender: Contender,
    lower: tempfile::TempDir,
    /// Where the contender is mounted, if it is not the lower itself.
    target: tempfile::TempDir,
    server: Option<Child>,
}

impl Place {
    pub fn new(contender: Contender, wendy_home: &Path) -> Outcome<Self> {
        let (lower, target) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let disk = Disk::format(SIZE, "ext4", &[])?.mount()?;
        // A path of its own, which git insists on.
        let move_it = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&disk, "", CWD, lower.path(), move_it)?;
        let directory = lower.path().join("pershome");
        fs::create_dir(&directory)?;
        let server = match contender {
            Contender::Ext4 => None,
            Contender::Posixovl => {
                start_posixovl(&directory, target.path())?;
                None
            }
            Contender::Floor => {
                let program = std::env::current_exe()?;
                let places = [text(&directory)?, text(target.path())?];
                Some(start(&program, [crate::FLOOR].into_iter().chain(places))?)
            }
            Contender::Wendy => Some(start_wendy(wendy_home, &directory, target.path())?),
        };
        Ok(Self {
            contender,
            lower,
            target,
            server,
        })
    }

    /// A path in the home.
    pub fn path(&self, relative: &str) -> PathBuf {
        match self.contender {
            Contender::Ext4 => self.lower.path().join("pershome").join(relative),
            _ => self.target.path().join(relative),
        }
    }

    /// Waits until nothing of the work so far is still to be written.
    pub fn calm(&self) -> Outcome<()> {
        Ok(syncfs(fs::File::open(self.lower.path())?)?)
    }

    /// Forgets what the kernel keeps in memory of every filesystem, see proc(5).
    pub fn forget(&self) -> Outcome<()> {
        self.calm()?;
        fs::write("/proc/sys/vm/drop_caches", "3")?;
        // Who serves a filesystem is told of every inode forgotten, and is not done yet.
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    }

    /// Ends the use in order; says how long it took until all was on the lower.
    pub fn end(mut self) -> Outcome<Duration> {
        let start = Instant::now();
        if self.contender != Contender::Ext4 {
            unmount(self.target.path(), UnmountFlags::empty())?;
        }
        if let Some(mut server) = self.server.take() {
            let status = server.wait()?;
            if !status.success() {
                return Err(format!("{} ended with {status}", self.contender.name()).into());
            }
        }
        self.calm()?;
        Ok(start.elapsed())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Left to do only where something failed.
        let _ = unmount(self.target.path(), UnmountFlags::DETACH);
        if let Some(mut server) = self.server.take() {
            let _ = server.wait();
        }
        if let Err(error) = unmount(self.lower.path(), UnmountFlags::DETACH) {
            eprintln!("{}: {error}", self.lower.path().display());
        }
    }
}

fn start_posixovl(directory: &Path, target: &Path) -> Outcome<()> {
    let (directory, target) = (text(directory)?, text(target)?);
    let options = ["-F", "-S", directory, target, "--", "-o", "allow_other"];
    tool("mount.posixovl", options)?;
    Ok(())
}

#[allow(
    clippy::disallowed_methods,
    reason = "the program measured runs beside us, not to its end"
)]
fn start_wendy(program: &Path, directory: &Path, target: &Path) -> Outcome<Child> {
    let created = Command::new(program)
        .arg("create")
        .arg(directory)
        .output()?;
    if !created.status.success() {
        return Err(String::from_utf8_lossy(&created.stderr).into());
    }
    start(program, ["mount", text(directory)?, text(target)?])
}

/// Starts a program that says when it is ready and ends when what it shows is unmounted.
#[allow(
    clippy::disallowed_methods,
    reason = "the program measured runs beside us, not to its end"
)]
fn start<'a>(program: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Outcome<Child> {
    let mut server = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let stdout = server.stdout.take().ok_or("no standard output")?;
    BufReader::new(stdout).read_line(&mut line)?;
    if line == "ready\n" {
        Ok(server)
    } else {
        Err(format!("{} says {line:?}", program.display()).into())
    }
}

fn text(path: &Path) -> Outcome<&str> {
    Ok(path.to_str().ok_or("a path that is not UTF-8")?)
}

/// Keeps the mounts made here out of everybody else's sight.
pub fn hide_mounts() -> Outcome<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    Ok(mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?)
}
