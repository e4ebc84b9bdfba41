//! What the tests with real programs share.

// Each test file uses its own part of this.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub mod snapshot;
pub mod uml;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_wendy-home");

/// A command; tests start programs by themselves, `wendy_sys::tool` is for the product.
#[allow(clippy::disallowed_methods)]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// Runs `wendy-home`.
pub fn wendy_home(arguments: &[&str]) -> Output {
    command(PROGRAM).args(arguments).output().unwrap()
}

/// Runs `wendy-home`, which must succeed.
pub fn succeed(arguments: &[&str]) -> String {
    let output = wendy_home(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Finds a program by name: in `PATH`, then among the tools cargo installed for these tests.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = std::env::var_os("WENDY_TOOLS").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/wendy/tools"));
    let own = [tools, home]
        .into_iter()
        .flatten()
        .map(|root| root.join("bin"));
    std::env::split_paths(&path)
        .chain(own)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Says loudly why a test could not run. Where `WENDY_TESTS_MUST_RUN` is set that is a failure.
pub fn skip(why: &str) {
    assert!(
        std::env::var_os("WENDY_TESTS_MUST_RUN").is_none(),
        "cannot run: {why}"
    );
    eprintln!("skipped: {why}");
}

/// Waits for a condition.
pub fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// Fails unless nothing of pjdfstest did, by its `log`, and all passed but the 14 that need what no home
/// has.
pub fn assert_posix(log: &str, more: &str) {
    let summary = log.lines().find_map(|line| line.strip_prefix("Summary: "));
    let summary = summary.unwrap_or("it did not come to an end");
    let passed = summary.split(", ").nth(2).and_then(|passed| {
        let number = passed.split(' ').next()?;
        number.parse::<u32>().ok()
    });
    let failed: Vec<&str> = log.lines().filter(|line| line.contains("FAILED")).collect();
    assert!(
        summary.starts_with("0 failed") && passed >= Some(384),
        "{summary}\n{failed:#?}\n{more}"
    );
}

/// Whether fsck.fat, going by what it says, leaves as it is what it does not call wrong.
pub fn leaves_something(said: &[u8]) -> bool {
    let said = String::from_utf8_lossy(said);
    said.contains("bad entries") || said.contains("Not auto-correcting")
}

/// A mounted home, unmounted when dropped.
#[derive(Debug)]
pub struct Mounted {
    server: Child,
    target: PathBuf,
}

impl Mounted {
    pub fn new(directory: &Path, target: &Path, options: &[&str]) -> Self {
        let mut server = command(PROGRAM)
            .arg("mount")
            .args(options)
            .args([directory, target])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = server.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self {
            server,
            target: target.to_owned(),
        }
    }

    /// Unmounts and waits for the orderly end.
    pub fn end(mut self) {
        // The kernel closes some files only a moment after their program has.
        wait_until("the home is unmounted", Duration::from_secs(60), || {
            self.unmount()
        });
        assert!(self.server.wait().unwrap().success());
    }

    /// Bytes that the server has read and written so far, the kernel's questions and its answers
    /// included (proc(5), `/proc/pid/io`).
    pub fn passed(&self) -> u64 {
        let counts = std::fs::read_to_string(format!("/proc/{}/io", self.server.id())).unwrap();
        let counts = counts.lines().filter_map(|line| line.split_once("char: "));
        counts.map(|(_, count)| count.parse::<u64>().unwrap()).sum()
    }

    /// Sends SIGTERM.
    pub fn ask_to_end(&self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.server.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Sends SIGTERM until the orderly end: closing a file ends only after a while.
    pub fn ask_until_ended(mut self) {
        wait_until("the home ends", Duration::from_secs(60), || {
            self.ask_to_end();
            std::thread::sleep(Duration::from_millis(50));
            matches!(self.server.try_wait(), Ok(Some(status)) if status.success())
        });
    }

    fn unmount(&self) -> bool {
        let status = command("umount").arg(&self.target).status();
        status.unwrap().success()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if matches!(self.server.try_wait(), Ok(None)) {
            let _ = command("umount").arg("-l").arg(&self.target).status();
            let _ = self.server.wait();
        }
    }
}

/// Whether this process may mount FUSE filesystems.
pub fn can_mount() -> bool {
    Path::new("/dev/fuse").exists() && rustix::process::getuid().is_root()
}
