//! Measures wendyd beside udisksd, in turn on private buses of the same machine, and prints a table.
//!
//! `beside_udisksd WENDYD UDISKSD [IDLE-SECONDS]`; needs root, and starts udev where none runs. Both
//! are measured by this same program, so what it costs itself is the same for both. Says on stderr
//! what it does; whatever does not come in time ends it with a word about what was waited for.
#![allow(
    clippy::disallowed_methods,
    reason = "it measures the programs it starts"
)]

mod bus;
mod patience;
mod process;
mod stick;
mod udev;

use std::{env, error::Error, path::PathBuf, time::Duration};

use bus::{Guest, list};
use process::since;
use stick::{Plugged, Stick};
use tokio::time::sleep;
use udev::Udev;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Each daemon is started this often, in turn with the other.
const ROUNDS: usize = 10;
/// Sticks that are plugged in during a round.
const PLUGS: usize = 2;
/// Calls during a round.
const CALLS: usize = 20;
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

/// What was measured while it had something to do.
#[derive(Default)]
struct Trials {
    starts: Vec<Duration>,
    lists: Vec<Duration>,
    plugs: Vec<Plugged>,
}

/// What was measured while it had nothing to do.
struct Rest {
    /// Kibibytes.
    pss: u32,
    threads: usize,
    switches: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let usage = "beside_udisksd WENDYD UDISKSD [IDLE-SECONDS]";
    let (ours, theirs) = (arguments.next(), arguments.next());
    let subjects = [wendyd(ours.ok_or(usage)?), udisksd(theirs.ok_or(usage)?)];
    let seconds = arguments.next().map_or(Ok(60), |text| {
        text.to_str().unwrap_or(usage).parse().map_err(|_| usage)
    })?;
    let idle = Duration::from_secs(seconds);

    let (mut udev, stick) = (Udev::running().await?, Stick::new()?);
    let mut trials = [Trials::default(), Trials::default()];
    for round in 1..=ROUNDS {
        for (subject, trials) in subjects.iter().zip(&mut trials) {
            let last = trials.round(subject, &stick, &mut udev).await?;
            let (all, own) = (millis(last.all), millis(last.own));
            let title = subject.title;
            say(&format!(
                "round {round} of {ROUNDS}, {title}: plug {all:.0} ms, {own:.0} ms after udev"
            ));
        }
    }
    let mut rows = Vec::new();
    for (subject, trials) in subjects.iter().zip(trials) {
        rows.push((
            subject.title,
            trials,
            rest(subject, &stick, &mut udev, idle).await?,
        ));
    }
    print(rows, idle);
    Ok(())
}

fn wendyd(program: PathBuf) -> Subject {
    Subject {
        title: "wendyd",
        program,
        name: "org.ubuntu.Wendy",
        root: "/org/ubuntu/Wendy",
        environment: unit_environment(),
    }
}

fn udisksd(program: PathBuf) -> Subject {
    Subject {
        title: "udisksd",
        program,
        name: "org.freedesktop.UDisks2",
        root: "/org/freedesktop/UDisks2",
        environment: Vec::new(),
    }
}

/// What systemd would set for wendyd.
fn unit_environment() -> Vec<(String, String)> {
    let unit = include_str!("../../../systemd/wendyd.service");
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

impl Trials {
    /// Starts the daemon, asks it, shows it sticks, and ends it; the last stick is returned.
    async fn round(
        &mut self,
        subject: &Subject,
        stick: &Stick,
        udev: &mut Udev,
    ) -> Result<Plugged> {
        udev.settle()?;
        let guest = Guest::start(subject, &[]).await?;
        self.starts.push(guest.start);
        for _ in 0..CALLS {
            self.lists.push(list(subject, &guest.manager).await?);
        }
        for _ in 0..PLUGS {
            self.plugs
                .push(stick.plug(subject, &guest.manager, udev).await?);
        }
        Ok(*self.plugs.last().ok_or("no stick was plugged in")?)
    }
}

/// Memory after some work, and then an idle time. What other programs do to devices and mounts does
/// not reach a daemon in network and mount namespaces of its own, so a second one is left alone.
async fn rest(subject: &Subject, stick: &Stick, udev: &mut Udev, idle: Duration) -> Result<Rest> {
    let title = subject.title;
    say(&format!("{title}: memory, after some work"));
    let guest = Guest::start(subject, &[]).await?;
    for _ in 0..PLUGS {
        stick.plug(subject, &guest.manager, udev).await?;
    }
    sleep(SETTLED).await;
    let (pss, threads) = (guest.daemon.pss()?, guest.daemon.threads()?);
    drop(guest);
    let seconds = idle.as_secs();
    say(&format!("{title}: left alone for {seconds} s"));
    let alone = Guest::start(subject, &["unshare", "--net", "--mount"]).await?;
    sleep(SETTLED).await;
    let before = alone.daemon.switches()?;
    sleep(idle).await;
    Ok(Rest {
        pss,
        threads,
        switches: since(&before, &alone.daemon.switches()?),
    })
}

fn print(rows: Vec<(&str, Trials, Rest)>, idle: Duration) {
    println!(
        "| daemon | start to answer | GetManagedObjects | plug to InterfacesAdded | of it after udev's event | PSS | threads | switches in {} idle s |",
        idle.as_secs()
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (title, trials, rest) in rows {
        let plugs = |part: fn(&Plugged) -> Duration| median(trials.plugs.iter().map(part));
        println!(
            "| {title} | {:.0} ms | {:.2} ms | {:.0} ms | {:.1} ms | {:.1} MB | {} | {} |",
            median(trials.starts),
            median(trials.lists),
            plugs(|plug| plug.all),
            plugs(|plug| plug.own),
            f64::from(rest.pss) / 1024.0,
            rest.threads,
            rest.switches
        );
    }
    println!(
        "\nMedians of {ROUNDS} starts, {} calls and {} sticks each, the daemons in turn.",
        ROUNDS * CALLS,
        ROUNDS * PLUGS
    );
}

/// In milliseconds.
fn median(values: impl IntoIterator<Item = Duration>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable();
    millis(values[values.len() / 2])
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn say(text: &str) {
    eprintln!("beside_udisksd: {text}");
}
