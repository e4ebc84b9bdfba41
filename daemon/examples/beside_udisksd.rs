//! Measures wendyd beside udisksd, in turn on private buses of the same machine, and prints a table.
//!
//! `beside_udisksd WENDYD UDISKSD [IDLE-SECONDS]`; root and a running udev are needed. Both are
//! measured by this same program, so what it costs itself is the same for both.
#![allow(
    clippy::disallowed_methods,
    reason = "it measures the programs it starts"
)]

use std::{
    env,
    error::Error,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use wendy_sys::{
    Cancel,
    loopdev::{Loop, LoopOptions},
    tool::Tool,
};
use zbus::{
    Connection,
    connection::Builder,
    fdo::{DBusProxy, InterfacesAdded, InterfacesAddedStream, ObjectManagerProxy},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Starts and plugs are repeated, and the median counts.
const ROUNDS: usize = 5;
/// Calls of which the median counts.
const CALLS: usize = 200;

/// How long a daemon may take to start, or to show a stick.
const PATIENCE: Duration = Duration::from_secs(10);
/// Threads that waited for work end after some seconds.
const SETTLED: Duration = Duration::from_secs(15);

/// A daemon to measure.
struct Subject {
    title: &'static str,
    program: PathBuf,
    name: &'static str,
    root: &'static str,
    environment: Vec<(String, String)>,
}

/// What was measured.
#[derive(Debug)]
struct Figures {
    start: Duration,
    list: Duration,
    /// `None` if no stick was shown in time.
    plug: Option<Duration>,
    pss: u64,
    threads: usize,
    switches: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let usage = "beside_udisksd WENDYD UDISKSD [IDLE-SECONDS]";
    let wendyd = Subject {
        title: "wendyd",
        program: arguments.next().ok_or(usage)?,
        name: "org.ubuntu.Wendy",
        root: "/org/ubuntu/Wendy",
        environment: unit_environment(),
    };
    let udisksd = Subject {
        title: "udisksd",
        program: arguments.next().ok_or(usage)?,
        name: "org.freedesktop.UDisks2",
        root: "/org/freedesktop/UDisks2",
        environment: Vec::new(),
    };
    let idle = arguments
        .next()
        .and_then(|text| text.to_str()?.parse().ok())
        .unwrap_or(60);
    let idle = Duration::from_secs(idle);
    let (ours, theirs) = (
        measure(&wendyd, idle).await?,
        measure(&udisksd, idle).await?,
    );
    print(&[(wendyd.title, ours), (udisksd.title, theirs)], idle);
    Ok(())
}

async fn measure(subject: &Subject, idle: Duration) -> Result<Figures> {
    let mut starts = Vec::new();
    for _ in 0..ROUNDS {
        let bus = Bus::start()?;
        starts.push(bus.start_daemon(subject, &[]).await?.1);
    }
    let bus = Bus::start()?;
    let (daemon, _) = bus.start_daemon(subject, &[]).await?;
    let pid = daemon.0.id();
    let connection = bus.connect().await?;
    let manager = ObjectManagerProxy::new(&connection, subject.name, subject.root).await?;
    let list = list_time(&manager).await?;
    let plug = plug_time(&manager).await?;
    sleep(SETTLED).await;
    Ok(Figures {
        start: median(starts),
        list,
        plug,
        pss: pss(pid)?,
        threads: threads(pid)?.len(),
        switches: idle_switches(subject, idle).await?,
    })
}

/// Switches of a daemon that has been left alone: what other programs do to devices and mounts does
/// not reach it in network and mount namespaces of its own.
async fn idle_switches(subject: &Subject, idle: Duration) -> Result<u64> {
    let bus = Bus::start()?;
    let alone = ["unshare", "--net", "--mount"];
    let (daemon, _) = bus.start_daemon(subject, &alone).await?;
    let pid = daemon.0.id();
    sleep(SETTLED).await;
    let before = switches(pid)?;
    sleep(idle).await;
    Ok(switches(pid)? - before)
}

fn print(rows: &[(&str, Figures)], idle: Duration) {
    println!(
        "| daemon | start to answer | GetManagedObjects | plug to InterfacesAdded | PSS | threads | switches in {} idle s |",
        idle.as_secs()
    );
    println!("|---|---|---|---|---|---|---|");
    for (title, figures) in rows {
        println!(
            "| {title} | {:.1} ms | {:.2} ms | {} | {:.1} MB | {} | {} |",
            millis(figures.start),
            millis(figures.list),
            figures
                .plug
                .map_or("-".to_owned(), |plug| format!("{:.0} ms", millis(plug))),
            f64::from(u32::try_from(figures.pss / 1024).unwrap_or(u32::MAX)) / 1024.0,
            figures.threads,
            figures.switches
        );
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}

async fn list_time(manager: &ObjectManagerProxy<'_>) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let begin = Instant::now();
        manager.get_managed_objects().await?;
        times.push(begin.elapsed());
    }
    Ok(median(times))
}

/// From the moment a formatted stick is in until the bus shows it; `None` if it never did.
async fn plug_time(manager: &ObjectManagerProxy<'_>) -> Result<Option<Duration>> {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let directory = TempDir::new()?;
        let path = directory.path().join("stick.img");
        let image = fs::File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(&path)?;
        image.set_len(64 << 20)?;
        let label = format!("stick{round}");
        Tool::new("mkfs.ext4")
            .args(["-q", "-F", "-L", &label])
            .arg(&path)
            .run(&Cancel::default())?;
        let mut added = manager.receive_interfaces_added().await?;
        let begin = Instant::now();
        let device = Loop::attach(std::os::fd::AsFd::as_fd(&image), LoopOptions::default())?;
        let shown = timeout(PATIENCE, until_shown(&mut added, device.node())).await;
        // Programs that share the loop devices of this machine may have been faster.
        if let Ok(shown) = shown {
            shown?;
            times.push(begin.elapsed());
        }
        let mut removed = manager.receive_interfaces_removed().await?;
        drop(device);
        // The next round may get the same loop device, so this one has to be over.
        let _ = timeout(PATIENCE, removed.next()).await;
    }
    Ok((!times.is_empty()).then(|| median(times)))
}

async fn until_shown(added: &mut InterfacesAddedStream, node: &Path) -> Result<()> {
    loop {
        let signal = added.next().await.ok_or("the bus is gone")?;
        if shows(&signal, node)? {
            return Ok(());
        }
    }
}

/// wendyd says the node in a property, udisksd in the path.
fn shows(signal: &InterfacesAdded, node: &Path) -> Result<bool> {
    let args = signal.args()?;
    let file = node.file_name().unwrap_or_default().to_string_lossy();
    let in_path = args.object_path().as_str().ends_with(&format!("/{file}"));
    let mut values = args
        .interfaces_and_properties()
        .values()
        .flat_map(|values| values.get("DeviceNode"));
    let in_values = values.any(|value| {
        value
            .downcast_ref::<&str>()
            .is_ok_and(|text| Path::new(text) == node)
    });
    Ok(in_path || in_values)
}

/// What systemd would set for wendyd.
fn unit_environment() -> Vec<(String, String)> {
    let unit = include_str!("../../systemd/wendyd.service");
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="));
    let words = lines
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.split_once('='));
    words
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A private bus.
struct Bus {
    directory: TempDir,
    _process: Process,
}

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Bus {
    fn start() -> Result<Bus> {
        let directory = tempfile::tempdir()?;
        let config = directory.path().join("bus.conf");
        fs::write(&config, config_for(&directory.path().join("bus")))?;
        let mut bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let ready = bus.stdout.take().ok_or("the bus has no output")?;
        BufReader::new(ready).read_line(&mut String::new())?;
        Ok(Bus {
            directory,
            _process: Process(bus),
        })
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.directory.path().join("bus").display())
    }

    async fn connect(&self) -> Result<Connection> {
        Ok(Builder::address(self.address().as_str()).build().await?)
    }

    /// The daemon, started through `wrapper`, and how long it took until it had answered.
    async fn start_daemon(
        &self,
        subject: &Subject,
        wrapper: &[&str],
    ) -> Result<(Process, Duration)> {
        let connection = self.connect().await?;
        let bus = DBusProxy::new(&connection).await?;
        let mut owners = bus
            .receive_name_owner_changed_with_args(&[(0, subject.name)])
            .await?;
        let begin = Instant::now();
        let mut command = wrapper
            .iter()
            .map(OsStr::new)
            .chain([subject.program.as_os_str()]);
        let daemon = Command::new(command.next().ok_or("nothing to start")?)
            .args(command)
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.address())
            .envs(subject.environment.clone())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let daemon = Process(daemon);
        timeout(PATIENCE, owners.next()).await?;
        let manager = ObjectManagerProxy::new(&connection, subject.name, subject.root).await?;
        manager.get_managed_objects().await?;
        Ok((daemon, begin.elapsed()))
    }
}

fn config_for(socket: &Path) -> String {
    format!(
        "<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\
         <allow send_type=\"method_call\"/><allow send_type=\"signal\"/>\
         <allow send_type=\"method_return\"/><allow send_type=\"error\"/>\
         <allow receive_type=\"method_call\"/><allow receive_type=\"signal\"/>\
         <allow receive_type=\"method_return\"/><allow receive_type=\"error\"/>\
         </policy></busconfig>",
        socket.display()
    )
}

fn threads(pid: u32) -> Result<Vec<PathBuf>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
    Ok(tasks
        .map(|task| task.map(|task| task.path()))
        .collect::<std::io::Result<_>>()?)
}

/// Times any of its threads was put on or off a processor.
fn switches(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in threads(pid)? {
        for line in fs::read_to_string(thread.join("status"))?.lines() {
            if let Some((_, count)) = line.split_once("ctxt_switches:") {
                sum += count.trim().parse::<u64>()?;
            }
        }
    }
    Ok(sum)
}

/// Bytes of memory that are the process's share.
fn pss(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup
        .lines()
        .find(|line| line.starts_with("Pss:"))
        .ok_or("no Pss")?;
    Ok(line
        .split_whitespace()
        .nth(1)
        .ok_or("no number")?
        .parse::<u64>()?
        * 1024)
}
