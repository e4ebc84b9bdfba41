//! The work that is interrupted, and the program that does it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use wendy_dbus::words::Word;
use wendy_store::SessionId;
use wendy_sys::failpoints;
use wendyd::{
    engine::{prepare::Mode, save::SaveRequest},
    stores::OpenStore,
};

use crate::{common::*, scene::Scene};

/// What the started program shall do, from its environment.
const WORK: &str = "WENDY_TEST_WORK";

/// What is done and interrupted. Without an order in the environment, all of it on a stick of its
/// own and without interruption.
#[test]
fn the_work_itself() {
    if !is_root() {
        return;
    }
    if let Ok(work) = std::env::var(WORK) {
        let words: Vec<_> = work.split(' ').collect();
        return do_work(&words);
    }
    let scene = Scene::new();
    scene.live.write("etc/hostname", "bob\n");
    do_work(&scene.update().split(' ').collect::<Vec<_>>());
    scene.check(&scene.partition.store(), &[scene.live.expected()]);
}

pub fn do_work(words: &[&str]) {
    match *words {
        ["prepare", node, mode] => {
            let mode = Mode::from_word(mode).unwrap();
            prepare_as(&target(Path::new(node), None), mode).unwrap()
        }
        ["save", node, live, session] => {
            let live = Live::at(PathBuf::from(live));
            let session: Option<SessionId> = session.parse().ok();
            let name = if session.is_none() { "Another" } else { "" };
            let store = OpenStore::open(location(Path::new(node), "ext4")).unwrap();
            live.save(
                &store,
                &SaveRequest {
                    session,
                    ..named(name)
                },
            )
            .unwrap();
        }
        _ => panic!("no such work: {words:?}"),
    }
}

/// This program, started again; killed when it is dropped.
pub struct Worker {
    child: Child,
    over: bool,
}

impl Worker {
    /// Starts `work`, ordered to do `action` at `step`.
    pub fn start(work: &str, order: Option<(&str, &str)>) -> Worker {
        #[allow(
            clippy::disallowed_methods,
            reason = "this program is no tool, and is to be killed"
        )]
        let mut command = Command::new("/proc/self/exe");
        command
            .args(["--exact", "work::the_work_itself", "--test-threads=1", "-q"])
            .env(WORK, work);
        if let Some((step, action)) = order {
            command.env("WENDY_FAILPOINTS", format!("{step}=return({action})"));
        }
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Worker { child, over: false }
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits, and says whether it stopped rather than ended.
    pub fn stopped(&mut self) -> bool {
        let status = waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
        self.over = !matches!(status, WaitStatus::Stopped(..));
        !self.over
    }

    /// Stops it where it is, and says whether it was still at work.
    pub fn stop(&mut self) -> bool {
        self.signal(Signal::SIGSTOP);
        self.stopped()
    }

    /// Kills it and, as systemd does with a service, the tools it runs; or waits for their end.
    pub fn kill(self, with_tools: bool) {
        let tools = children_of(self.pid());
        drop(self);
        if with_tools {
            // One that has ended by itself is as good.
            for tool in &tools {
                let _ = kill(*tool, Signal::SIGKILL);
            }
        }
        let is_there = |tool: &Pid| Path::new(&format!("/proc/{tool}")).exists();
        eventually("its tools end", || !tools.iter().any(is_there));
    }

    /// Waits for its end.
    pub fn ended(mut self) -> WaitStatus {
        self.over = true;
        waitpid(self.pid(), None).unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }
}

/// The processes that this one has started.
fn children_of(parent: Pid) -> Vec<Pid> {
    let children = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(children).unwrap_or_default();
    let pids = children.split_whitespace().map(|pid| pid.parse().unwrap());
    pids.map(Pid::from_raw).collect()
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.over {
            self.signal(Signal::SIGKILL);
            waitpid(self.pid(), None).unwrap();
        }
    }
}

pub fn steps(prefix: &str) -> Vec<&'static str> {
    failpoints::seen()
        .into_iter()
        .filter(|step| step.starts_with(prefix))
        .collect()
}
