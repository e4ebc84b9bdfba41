//! A private bus, a service of canned answers on it, and wendyctl as its caller.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses its part")]

pub mod fake;
pub mod samples;
pub mod terminal;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A dbus-daemon of its own, gone with this value.
pub struct PrivateBus {
    daemon: Child,
    directory: TempDir,
}

/// What a run of wendyctl left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl PrivateBus {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("bus");
        let config = directory.path().join("bus.conf");
        fs::write(&config, configuration(&socket.display().to_string())).unwrap();
        let mut daemon = command("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is installed");
        // The address is printed once the socket accepts connections.
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        assert!(address.starts_with("unix:"), "{address}");
        Self { daemon, directory }
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", self.directory.path().join("bus").display())
    }

    /// wendyctl on this bus, without any terminal.
    pub fn wendyctl(&self, args: &[&str]) -> Command {
        let mut wendyctl = command("setsid");
        wendyctl.arg(env!("CARGO_BIN_EXE_wendyctl")).args(args);
        self.surround(&mut wendyctl);
        wendyctl
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        wendyctl
    }

    /// The environment wendyctl runs in.
    pub fn surround(&self, wendyctl: &mut Command) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        wendyctl
            .env_clear()
            .env("PATH", path)
            .env("TZ", "UTC")
            .env("TERM", "xterm");
        wendyctl.env("DBUS_SYSTEM_BUS_ADDRESS", self.address());
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.wendyctl(args).output().unwrap().into()
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("ended by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Standard output of a run that worked.
    #[track_caller]
    pub fn worked(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The failure of a run that did not work.
    #[track_caller]
    pub fn failed(self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(words), "{self:?}");
    }

    /// Standard output as JSON, one value per line.
    #[track_caller]
    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        self.out.lines().map(parse).collect()
    }
}

/// A program that a test needs.
pub fn command(program: &str) -> Command {
    #[allow(
        clippy::disallowed_methods,
        reason = "tests start programs as a person would"
    )]
    Command::new(program)
}

/// Where the crate is.
pub fn crate_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn configuration(socket: &str) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"#
    )
}
