//! A computer to log in at: this one, with accounts, PAM, udev and `/home` of its own.
//!
//! All of it is in a mount namespace of the thread, so tests run beside each other. systemd does
//! not run in it, whatever runs outside. Sticks are loop devices with ext4.

use crate::common::{PROGRAM, can_mount, command, find, skip, wait_until};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::{Mode, OFlags};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
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
        fs::set_permissions(&stay, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
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

    /// Somebody logs in, and stays.
    pub fn log_in(&self, user: &str) -> Session {
        let said = self.file(&format!("said.{}", rand()));
        let out = fs::File::create(&said).unwrap();
        let login = command("stdbuf")
            .args([
                "-o0",
                "pamtester",
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
    pub fn log_out(mut self) -> String {
        fs::write(&self.leave, "go\n").unwrap();
        assert!(self.login.wait().unwrap().success(), "{}", self.said());
        self.said()
    }

    fn ended(&mut self) -> bool {
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

/// A stick, plugged in until it is dropped.
#[derive(Debug)]
pub struct Stick {
    pub node: PathBuf,
    pub image: PathBuf,
}

impl Stick {
    /// A new ext4 stick with that label, filled by `fill`, plugged in.
    pub fn new(computer: &Computer, label: &str, fill: impl FnOnce(&Path)) -> Self {
        Self::in_image(
            computer,
            label,
            &computer.file(&format!("{label}.img")),
            fill,
        )
    }

    /// The same with its blocks in the file `image`.
    pub fn in_image(
        computer: &Computer,
        label: &str,
        image: &Path,
        fill: impl FnOnce(&Path),
    ) -> Self {
        fs::File::create(image).unwrap().set_len(64 << 20).unwrap();
        run(command("mkfs.ext4").args(["-q", "-L", label]).arg(image));
        let stick = Self::attached(image);
        stick.look_into(computer, fill);
        stick.tell_udev(label);
        stick
    }

    /// Another stick in the file `image`, a copy of this one's, plugged in.
    pub fn twin(&self, image: &Path) -> Self {
        let twin = Self::attached(image);
        fs::copy(self.in_udev(), twin.in_udev()).unwrap();
        twin
    }

    fn attached(image: &Path) -> Self {
        let attached = run(command("losetup")
            .args(["--direct-io=on", "--find", "--show"])
            .arg(image));
        let node = PathBuf::from(String::from_utf8(attached.stdout).unwrap().trim_end());
        Self {
            node,
            image: image.to_owned(),
        }
    }

    /// Waits until nothing of it is mounted: the kernel takes a filesystem down a moment after its last
    /// user has left.
    pub fn wait_until_free(&self) {
        let flags = OFlags::RDONLY | OFlags::EXCL;
        wait_until("the stick is free", LIMIT, || {
            rustix::fs::open(&self.node, flags, Mode::empty()).is_ok()
        });
    }

    /// Mounts the bare filesystem and looks.
    pub fn look_into<T>(&self, computer: &Computer, look: impl FnOnce(&Path) -> T) -> T {
        let at = computer.file("bare");
        fs::create_dir_all(&at).unwrap();
        run(command("mount").args([&self.node, &at]));
        let result = look(&at);
        run(command("umount").arg(&at));
        result
    }

    /// As when it was pulled.
    pub fn forget_in_udev(&self) {
        fs::remove_file(self.in_udev()).unwrap();
    }

    /// What udevd would note: its database is all that libudev reads.
    fn tell_udev(&self, label: &str) {
        let text = format!("E:ID_FS_TYPE=ext4\nE:ID_FS_UUID={label}\nE:ID_FS_LABEL={label}\n");
        fs::write(self.in_udev(), text).unwrap();
    }

    fn in_udev(&self) -> PathBuf {
        let device = fs::metadata(&self.node).unwrap().rdev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        PathBuf::from(format!("/run/udev/data/b{major}:{minor}"))
    }
}

impl Drop for Stick {
    fn drop(&mut self) {
        let _ = command("losetup").arg("-d").arg(&self.node).output();
        let _ = fs::remove_file(&self.image);
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
