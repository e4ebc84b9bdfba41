//! A bus, a polkitd and a daemon, private to one test.

mod wendyctl;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
use tempfile::TempDir;
use tokio::time::timeout;
use wendy_dbus::BUS_NAME;
use zbus::{Connection, connection::Builder, fdo::DBusProxy};

use crate::double;

pub use wendyctl::Ran;

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// A user without any rights, `nobody` of Debian.
pub const NOBODY: u32 = 65534;

/// Processes and files of one test; dropping it ends and removes them.
pub struct System {
    dir: TempDir,
    programs: Vec<Program>,
    pub daemon_pid: u32,
}

/// A process that ends with its owner.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for System {
    /// What was started last ends first: nobody is left without a bus.
    fn drop(&mut self) {
        while self.programs.pop().is_some() {}
    }
}

impl System {
    /// A bus, a polkitd with these rules, and the daemon.
    pub async fn start(rules: &str) -> System {
        let mut system = System::without_polkit().await;
        system.start_polkitd(rules).await;
        system.start_daemon().await;
        system
    }

    /// A bus, a polkitd with these rules, and the daemon as it is installed.
    pub async fn start_installed(rules: &str) -> System {
        System::start_as(rules, &mut Command::new(env!("CARGO_BIN_EXE_wendyd"))).await
    }

    /// A bus, a polkitd with these rules, and the daemon as this command starts it.
    pub async fn start_as(rules: &str, daemon: &mut Command) -> System {
        let mut system = System::without_polkit().await;
        system.start_polkitd(rules).await;
        system.start_program(daemon).await;
        system
    }

    /// A bus alone.
    pub async fn without_polkit() -> System {
        let dir = tempfile::tempdir().unwrap();
        // polkitd reads its rules as a user of its own.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut system = System {
            dir,
            programs: Vec::new(),
            daemon_pid: 0,
        };
        system.start_bus();
        system
    }

    fn start_bus(&mut self) {
        let config = self.dir.path().join("bus.conf");
        fs::write(&config, bus_config(&self.address())).unwrap();
        let mut bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The address is printed once the bus takes connections.
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        assert!(address.starts_with("unix:"), "the bus did not start");
        self.programs.push(Program(bus));
    }

    pub async fn start_polkitd(&mut self, rules: &str) {
        let (actions, rules_dir) = (
            self.dir.path().join("actions"),
            self.dir.path().join("rules"),
        );
        fs::create_dir_all(&actions).unwrap();
        fs::create_dir_all(&rules_dir).unwrap();
        fs::copy(
            source("polkit/org.ubuntu.wendy.policy"),
            actions.join("wendy.policy"),
        )
        .unwrap();
        fs::write(rules_dir.join("50-test.rules"), rules).unwrap();
        let script = "mount --bind \"$1\" /usr/share/polkit-1/actions \
            && mount --bind \"$2\" /etc/polkit-1/rules.d \
            && exec /usr/lib/polkit-1/polkitd --no-debug";
        let polkitd = Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh"])
            .args([&actions, &rules_dir])
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.address())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.programs.push(Program(polkitd));
        self.wait_for("org.freedesktop.PolicyKit1").await;
    }

    /// The daemon with the double behind it.
    pub async fn start_daemon(&mut self) {
        self.start_test_as_daemon(double::TEST_NAME, (double::ENV, "1"))
            .await;
        self.wait_for(double::CONTROL_NAME).await;
    }

    /// This very program, to run one test that is a daemon.
    pub async fn start_test_as_daemon(&mut self, test: &str, (name, value): (&str, &str)) {
        let mut daemon = Command::new(std::env::current_exe().unwrap());
        daemon
            .args(["--exact", test, "--nocapture"])
            .env(name, value);
        self.start_program(daemon.stdout(Stdio::null())).await;
    }

    async fn start_program(&mut self, daemon: &mut Command) {
        let daemon = daemon
            .envs(unit_environment())
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.address())
            .spawn()
            .unwrap();
        self.daemon_pid = daemon.id();
        self.programs.push(Program(daemon));
        self.wait_for(BUS_NAME).await;
    }

    /// Waits until the daemon has ended by itself, and tells whether it ended well.
    pub fn daemon_ended_well(&mut self) -> bool {
        self.programs.pop().unwrap().0.wait().unwrap().success()
    }

    /// Files the daemon has open.
    pub fn daemon_descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.daemon_pid))
            .unwrap()
            .count()
    }

    /// Waits until the daemon has no more files open than these: one that looks at a device because
    /// udev told of it has a few for a moment.
    pub async fn closes_all_but(&self, most: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.daemon_descriptors() > most {
            let open = self.daemon_descriptors();
            assert!(Instant::now() < deadline, "{open} open, not {most}");
            tokio::task::yield_now().await;
        }
    }

    /// Bytes of memory that are the daemon's alone.
    pub fn daemon_memory(&self) -> u64 {
        let rollup = format!("/proc/{}/smaps_rollup", self.daemon_pid);
        let rollup = fs::read_to_string(rollup).unwrap();
        let line = rollup
            .lines()
            .find(|line| line.starts_with("Private_Dirty:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            * 1024
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("bus")
    }

    async fn wait_for(&self, name: &'static str) {
        let connection = self.connect(0).await;
        let bus = DBusProxy::new(&connection).await.unwrap();
        let mut changes = bus
            .receive_name_owner_changed_with_args(&[(0, name)])
            .await
            .unwrap();
        if !bus.name_has_owner(name.try_into().unwrap()).await.unwrap() {
            let change = timeout(PATIENCE, changes.next()).await;
            change
                .unwrap_or_else(|_| panic!("{name} did not come"))
                .unwrap();
        }
    }

    /// A connection that the bus knows as this user's.
    pub async fn connect(&self, uid: u32) -> Connection {
        let socket = self.socket();
        // The kernel notes who connects, by thread; this one ends right after.
        let stream = thread::spawn(move || {
            set_thread_res_gid(gid(uid), gid(uid), gid(uid)).unwrap();
            set_thread_res_uid(user(uid), user(uid), user(uid)).unwrap();
            UnixStream::connect(socket).unwrap()
        });
        let stream = stream.join().unwrap();
        Builder::unix_stream(stream)
            .user_id(uid)
            .build()
            .await
            .unwrap()
    }
}

fn user(uid: u32) -> rustix::process::Uid {
    rustix::process::Uid::from_raw(uid)
}

fn gid(gid: u32) -> rustix::process::Gid {
    rustix::process::Gid::from_raw(gid)
}

/// A file of this repository.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join(path)
}

/// What systemd would set for the daemon.
fn unit_environment() -> Vec<(String, String)> {
    let unit = fs::read_to_string(source("systemd/wendyd.service")).unwrap();
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="));
    let words = lines.flat_map(str::split_whitespace);
    words
        .map(|word| word.split_once('=').unwrap())
        .map(|(k, v)| (k.into(), v.into()))
        .collect()
}

/// The rules of a stock system bus, with wendy's and polkit's own.
fn bus_config(address: &str) -> String {
    let policy = source("systemd/org.ubuntu.Wendy.conf");
    include_str!("system/bus.conf")
        .replace("@ADDRESS@", address)
        .replace("@POLICY@", policy.to_str().unwrap())
}
