//! A computer to log in at: this one, with accounts, PAM, udev and `/home` of its own.
//!
//! All of it is in a mount namespace of the thread, so tests run beside each other. systemd does
//! not run in it, whatever runs outside.

use crate::common::{PROGRAM, can_mount, command, find, skip, wait_until};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

/// The user who logs in, and her number.
pub const ANN: &str = "ann";
pub const UID: u32 = 61_234;
const LIMIT: Duration = Duration::from_secs(60);

/// See the [module](self). Everything of it ends when it is dropped.
#[derive(Debug)]
pub struct Computer {
    dir: tempfile::TempDir,
}

impl Computer {
    /// A computer with the user ann, who is in the list if `listed`; `None`, said loudly, where
    /// something is missing.
    pub fn new(listed: bool) -> Option<Self> {
        if find("pamtester").is_none() || !can_mount() {
            skip("needs root, /dev/fuse and the package pamtester");
            return None;
        }
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let computer = Self {
            dir: tempfile::tempdir_in("/var/tmp").unwrap(),
        };
        for own in ["/run", "/home", "/var/lib"] {
            let tmpfs = Some("tmpfs");
            mount(tmpfs, own, tmpfs, MsFlags::empty(), Some("mode=755")).unwrap();
        }
        fs::create_dir_all("/run/udev/data").unwrap();
        fs::create_dir("/home/ann").unwrap();
        chown("/home/ann", Some(UID), Some(UID)).unwrap();
        computer.make_etc(listed);
        Some(computer)
    }

    fn make_etc(&self, listed: bool) {
        let etc = self.file("etc");
        let copied = command("cp").args(["-a", "/etc"]).arg(&etc).status();
        assert!(copied.unwrap().success());
        let append = |name: &str, line: String| {
            let mut file = fs::OpenOptions::new()
                .append(true)
                .open(etc.join(name))
                .unwrap();
            file.write_all(line.as_bytes()).unwrap();
        };
        append("passwd", format!("ann:x:{UID}:{UID}::/home/ann:/bin/sh\n"));
        append("group", format!("ann:x:{UID}:\n"));
        fs::create_dir_all(etc.join("ltsp")).unwrap();
        if listed {
            fs::write(etc.join("ltsp/persistent_homes"), "ann\n").unwrap();
        }
        fs::write(etc.join("pam.d/wendy-test"), self.service()).unwrap();
        let none = None::<&str>;
        mount(Some(&etc), "/etc", none, MsFlags::MS_BIND, none).unwrap();
    }

    /// The profile of the package, behind a module that lets a session last until its fifo is read.
    fn service(&self) -> String {
        let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/pam/wendy-home");
        let profile = fs::read_to_string(profile).unwrap();
        let lines = profile.split("Session:\n").nth(1).unwrap();
        let ours = lines.replace("\toptional", "session optional");
        let stay = self.file("stay");
        let script = "#!/bin/sh\nmkfifo $0.fifo.$PPID\n: > $0.$PPID\nread go < $0.fifo.$PPID\n";
        fs::write(&stay, script).unwrap();
        fs::set_permissions(&stay, fs::Permissions::from_mode(0o755)).unwrap();
        format!(
            "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n\
             session optional pam_exec.so quiet type=close_session {}\n{}",
            stay.display(),
            ours.replace("/usr/bin/wendy-home", PROGRAM),
        )
    }

    /// A file of the test's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts a script in the place of a program of the system's.
    pub fn play(&self, program: &str, script: &str) {
        let at = self.file(&program.replace('/', "-"));
        fs::write(&at, script).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
        run(command("mount").args(["--bind".as_ref(), at.as_os_str(), program.as_ref()]));
    }

    /// Somebody logs in, and stays.
    pub fn log_in(&self, user: &str) -> Session {
        self.log_in_at(user, "")
    }

    /// The same at a terminal.
    pub fn log_in_at(&self, user: &str, terminal: &str) -> Session {
        let said = self.file(&format!("said.{}", rand()));
        let out = fs::File::create(&said).unwrap();
        let login = command("stdbuf")
            .args([
                "-o0",
                "pamtester",
                &format!("-Itty={terminal}"),
                "wendy-test",
                user,
                "open_session",
                "close_session",
            ])
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let mut session = Session {
            stays: self.file(&format!("stay.{}", login.id())),
            leave: self.file(&format!("stay.fifo.{}", login.id())),
            login,
            said,
        };
        wait_until("the session begins", LIMIT, || {
            session.stays.exists() || session.ended()
        });
        session
    }

    /// The user's processes would run in here.
    pub fn home(&self) -> PathBuf {
        PathBuf::from("/home/ann")
    }

    /// Whether a home from a stick is mounted.
    pub fn has_home(&self) -> bool {
        self.mounts()
            .lines()
            .any(|line| line.contains(" /home/ann "))
    }

    /// The mount table of this namespace.
    pub fn mounts(&self) -> String {
        fs::read_to_string("/proc/thread-self/mountinfo").unwrap()
    }

    /// The server's process, if it ever ran.
    pub fn server(&self) -> Option<Pid> {
        let number = fs::read_to_string(format!("/run/wendy-home/{UID}/server")).ok()?;
        Some(Pid::from_raw(number.trim().parse().ok()?))
    }

    /// What the server told administrators.
    pub fn log(&self) -> String {
        fs::read_to_string(format!("/run/wendy-home/{UID}/log")).unwrap_or_default()
    }
}

impl Drop for Computer {
    fn drop(&mut self) {
        if let Some(server) = self.server() {
            let _ = kill(server, Signal::SIGKILL);
        }
        for mounted in ["/home/ann", &format!("/run/wendy-home/{UID}/stick")] {
            let _ = command("umount").args(["-l", mounted]).output();
        }
    }
}

/// Somebody who is logged in.
#[derive(Debug)]
pub struct Session {
    login: Child,
    said: PathBuf,
    stays: PathBuf,
    leave: PathBuf,
}

impl Session {
    /// What the login said.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Logs out; the login must have succeeded in every respect. What it said.
    pub fn log_out(self) -> String {
        self.begin_to_log_out();
        self.wait_for_end()
    }

    /// Logs out and does not wait for the end of it.
    pub fn begin_to_log_out(&self) {
        fs::write(&self.leave, "go\n").unwrap();
    }

    /// The rest of [`Self::log_out`].
    pub fn wait_for_end(mut self) -> String {
        assert!(self.login.wait().unwrap().success(), "{}", self.said());
        self.said()
    }

    /// Whether the login's process is gone.
    pub fn ended(&mut self) -> bool {
        self.login.try_wait().unwrap().is_some()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.login.kill();
        let _ = self.login.wait();
        // The module that waits does not end with it.
        let fifo = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.leave);
        let _ = fifo.and_then(|mut fifo| fifo.write_all(b"go\n"));
    }
}

/// Runs a command that must succeed.
pub fn run(command: &mut std::process::Command) -> Output {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output
}

fn rand() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
