//! udev, without which neither daemon hears of a stick, and when its events arrive.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wendy_sys::{Cancel, tool::Tool};

use crate::{Result, patience::within, process::Process};

const PROGRAM: &str = "/lib/systemd/systemd-udevd";

/// A running udev, listened to.
pub struct Udev {
    events: UnboundedReceiver<Seen>,
    _started: Option<Process>,
}

/// An event of udev for a device with a filesystem.
struct Seen {
    at: Instant,
    node: PathBuf,
}

impl Udev {
    /// Starts udev if none answers, as in a container; that one ends with the result.
    pub async fn running() -> Result<Udev> {
        let mut started = None;
        if !answers() {
            let mut command = Command::new(PROGRAM);
            command
                .arg("--resolve-names=never")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            started = Some(Process::start(&mut command)?);
            within("udev to answer", until_it_answers()).await?;
        }
        let (sender, events) = unbounded_channel();
        // libudev's objects must stay on one thread.
        thread::spawn(move || listen(&sender));
        Ok(Udev {
            events,
            _started: started,
        })
    }

    /// Waits until udev has nothing to do, and forgets what it has said so far.
    pub fn settle(&mut self) -> Result<()> {
        let settle = Tool::new("udevadm").args(["settle", "--timeout=10"]);
        settle
            .run(&Cancel::new())
            .map_err(|error| format!("waited 10 s for udev to have nothing to do: {error}"))?;
        while self.events.try_recv().is_ok() {}
        Ok(())
    }

    /// When udev first told of a filesystem on this node.
    pub async fn told_of(&mut self, node: &Path) -> Result<Instant> {
        let found = async {
            while let Some(seen) = self.events.recv().await {
                if seen.node == node {
                    return Ok(seen.at);
                }
            }
            Err("udev is not listened to any more".into())
        };
        within(&format!("udev to tell of {}", node.display()), found).await?
    }
}

fn answers() -> bool {
    let ping = Tool::new("udevadm").args(["control", "--ping", "--timeout=5"]);
    ping.run(&Cancel::new()).is_ok()
}

async fn until_it_answers() {
    while !answers() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Notes the events until nobody wants them or the socket fails.
fn listen(sender: &UnboundedSender<Seen>) -> Option<()> {
    let builder = udev::MonitorBuilder::new().ok()?;
    let socket = builder.match_subsystem("block").ok()?.listen().ok()?;
    loop {
        poll(&mut [PollFd::new(&socket, PollFlags::IN)], None).ok()?;
        let at = Instant::now();
        for event in socket.iter() {
            if event.property_value("ID_FS_TYPE").is_some() {
                let node = event.devnode()?.to_owned();
                sender.send(Seen { at, node }).ok()?;
            }
        }
    }
}
