//! A user-mode Linux with a FAT medium: a real vfat driver without a real machine.
//!
//! Needs the Debian packages `user-mode-linux`, `busybox`, `dosfstools` and `gcc`, and root.

use super::{command, find, leaves_something, skip, wait_until};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;
use wendy_home::login::check::{self, Filesystem};

/// Longer than any job takes.
const LIMIT: Duration = Duration::from_secs(600);

/// A FAT medium and a directory for what the machine says.
#[derive(Debug)]
pub struct Uml {
    dir: tempfile::TempDir,
}

/// A machine at work.
#[derive(Debug)]
pub struct Running<'a> {
    uml: &'a Uml,
    child: Child,
}

impl Uml {
    /// A new FAT32 medium of `size` bytes; `None`, said loudly, where the tools are missing.
    pub fn new(size: u64) -> Option<Self> {
        for tool in ["linux.uml", "busybox", "mkfs.vfat", "fsck.vfat", "gcc"] {
            if find(tool).is_none() {
                skip("install user-mode-linux, busybox, dosfstools and gcc");
                return None;
            }
        }
        if !rustix::process::getuid().is_root() {
            skip("the machine's root is the host's: needs root");
            return None;
        }
        let uml = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        File::create(uml.image()).unwrap().set_len(size).unwrap();
        let made = command("mkfs.vfat")
            .args(["-F", "32"])
            .arg(uml.image())
            .output()
            .unwrap();
        assert!(made.status.success());
        uml.fit_processor();
        Some(uml)
    }

    /// Builds what a user-mode Linux needs on processors it does not know.
    fn fit_processor(&self) {
        let built = command("gcc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(self.file("xstate.so"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/uml/xstate.c"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
    }

    /// A file beside the medium, visible inside and outside of the machine.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a script inside to its end; what the machine said.
    pub fn run(&self, job: &str) -> String {
        let mut running = self.start(job);
        wait_until("the machine powers off", LIMIT, || running.ended());
        let said = self.said();
        assert!(said.contains("job ended with 0"), "{said}");
        said
    }

    /// Starts a script inside.
    pub fn start(&self, job: &str) -> Running<'_> {
        let script = self.file("job");
        fs::write(&script, job).unwrap();
        let console = File::create(self.file("console")).unwrap();
        let child = command("linux.uml")
            .env("LD_PRELOAD", self.file("xstate.so"))
            .args([
                "mem=256M",
                "root=/dev/root",
                "rootfstype=hostfs",
                "rootflags=/",
                "rw",
                "quiet",
            ])
            .arg(concat!(
                "init=",
                env!("CARGO_MANIFEST_DIR"),
                "/tests/uml/init.sh"
            ))
            .arg(format!("job={}", script.display()))
            .arg(format!("ubd0={}", self.image().display()))
            .args(["con=null", "con0=null,fd:1"])
            .stdin(std::process::Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .process_group(0)
            .spawn()
            .unwrap();
        Running { uml: self, child }
    }

    /// What the machine said last.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.file("console")).unwrap_or_default()).into_owned()
    }

    /// Repairs the medium as it is before a mount; says whether anything was wrong, and what it was to
    /// the output of the test.
    pub fn fsck(&self) -> bool {
        let check = || {
            command("fsck.vfat")
                .arg("-n")
                .arg(self.image())
                .output()
                .unwrap()
        };
        let found = check();
        if found.status.success() {
            return false;
        }
        print!("{}", String::from_utf8_lossy(&found.stdout));
        check::repair(Filesystem::Vfat, &self.image()).unwrap();
        let left = check();
        let said = String::from_utf8_lossy(&left.stdout);
        let clean = left.status.success() && !leaves_something(&left.stdout);
        assert!(clean, "the repair leaves: {said}");
        true
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("medium")
    }
}

impl Drop for Uml {
    /// A failed test leaves its medium, and all that is known of it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dir.disable_cleanup(true);
            eprintln!("see {}", self.dir.path().display());
        }
    }
}

impl Running<'_> {
    fn ended(&mut self) -> bool {
        std::thread::sleep(Duration::from_millis(20));
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for a condition outside of the machine.
    pub fn wait_until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        wait_until(what, LIMIT, || {
            let over = self.ended() && !holds();
            assert!(
                !over,
                "the machine ended before {what}: {}",
                self.uml.said()
            );
            holds()
        });
    }

    /// Pulls the plug: nothing in the machine gets to do anything more.
    pub fn pull(mut self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        killpg(group, Signal::SIGKILL).unwrap();
        self.child.wait().unwrap();
        // The helpers of the machine are not ours to wait for, but they must be gone as well.
        wait_until("all of the machine is gone", LIMIT, || {
            killpg(group, None).is_err()
        });
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
            let _ = killpg(group, Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Shell words that mount the home of the stick at /mnt/home, with `options`.
pub fn mount_home(program: &Path, options: &str) -> String {
    let program = program.display();
    format!(
        "[ -d /mnt/stick/pershome ] || {program} create /mnt/stick/pershome\nrm -f /mnt/ready\n\
         {program} mount {options} /mnt/stick/pershome /mnt/home > /mnt/ready &\n\
         until grep -q ready /mnt/ready; do kill -0 $!; busybox usleep 20000; done\n"
    )
}
