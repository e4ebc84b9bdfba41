//! Killed, cut off from power, out of room, on a failing medium: the last complete save survives.
//!
//! The work is done by this very test program started again, which is killed at every step or at
//! a random instant. A power cut is looked at by stopping it and copying what is on the medium by
//! then, without what the kernel has still in memory.
//!
//! `WENDY_KILLS` is the number of random instants; 200 are a full run.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

mod bench;

use std::{
    fs::{self, File},
    os::{fd::AsFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use bench::*;
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use wendy_store::SessionId;
use wendy_sys::{
    block::{Access, BlockDevice, PartitionExtent},
    failpoints,
    loopdev::{Loop, LoopOptions},
};
use wendyd::{
    engine::{
        Unwatched,
        manage::{self, Verdict},
        prepare::Mode,
        save::SaveRequest,
    },
    stores::{OpenStore, Saved},
};

const SIZE: u64 = 128 * MIB;

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

fn do_work(words: &[&str]) {
    match *words {
        ["prepare", node, mode] => {
            prepare_as(&target(Path::new(node), None), mode.parse().unwrap()).unwrap()
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

/// A live system with one session saved, and a second state of it that is to be saved.
struct Scene {
    live: Live,
    session: SessionId,
    before: Tree,
    stick: Stick,
    place: PartitionExtent,
    partition: Partition,
}

impl Scene {
    fn new() -> Scene {
        let stick = Stick::prepared(SIZE);
        let partition = stick.partition(1);
        let live = Live::new();
        let session = live
            .save(&partition.store(), &named("One"))
            .unwrap()
            .session;
        let before = live.expected();
        let place = stick.table()[0];
        Scene {
            live,
            session,
            before,
            stick,
            place,
            partition,
        }
    }

    /// Another state of the live system.
    fn change(&mut self, round: usize) {
        self.before = self.live.expected();
        self.live.write(
            &format!("home/ann/note{}", round % 40),
            &format!("round {round}"),
        );
        self.live
            .write(&format!("srv/{round}"), &"x".repeat(round * 1000));
        let _ = fs::remove_file(
            self.live
                .upper()
                .join(format!("srv/{}", round.wrapping_sub(2))),
        );
    }

    fn update(&self) -> String {
        self.work(&self.session.to_string())
    }

    fn work(&self, session: &str) -> String {
        let live = self.live.directory.path().display();
        format!("save {} {live} {session}", self.partition.node().display())
    }

    /// The session is complete and is one of these states.
    fn check(&self, store: &OpenStore, states: &[Tree]) {
        let only = Some(self.session);
        let checked = manage::check(store, only, &Unwatched::default()).unwrap();
        assert_eq!(checked[0].verdict, Verdict::Complete);
        let upper =
            path_of(&store.root()).join(format!("casper/sessions/{}/current/upper", self.session));
        let found = look(&upper);
        assert!(
            states.contains(&found),
            "the session is neither what it was nor what it became"
        );
        assert_eq!(
            look(&stock_upper(store).unwrap()),
            found,
            "a stock image finds another session"
        );
    }

    /// After an interruption: the medium is sound, nothing holds it, the session is there, and the
    /// next save works.
    fn check_after(&mut self, round: usize) {
        check_filesystem(self.partition.node());
        drop(BlockDevice::open(self.partition.node(), Access::Exclusive).unwrap());
        let states = [self.before.clone(), self.live.expected()];
        self.check(&self.partition.store(), &states);
        self.change(round + 1);
        self.live
            .save(
                &self.partition.store(),
                &SaveRequest {
                    session: Some(self.session),
                    ..named("")
                },
            )
            .unwrap();
        let store = self.partition.store();
        self.check(&store, &[self.live.expected()]);
        let left =
            path_of(&store.root()).join(format!("casper/sessions/{}/generations", self.session));
        assert_eq!(
            fs::read_dir(left).unwrap().count(),
            1,
            "something was left over"
        );
    }

    /// The medium as a power cut at this instant would leave it: what a copy of the partition holds.
    fn check_power_cut(&self) {
        let copy = copy_of(self.stick.image(), self.place);
        let attached = Loop::attach(copy.as_fd(), LoopOptions::default()).unwrap();
        check_filesystem(attached.node());
        let store = OpenStore::open(location(attached.node(), "ext4")).unwrap();
        self.check(&store, &[self.before.clone(), self.live.expected()]);
        self.live.save(&store, &named("After the cut")).unwrap();
    }
}

/// A copy of what has reached the medium, taken again until two are the same. What a program reads
/// from the device itself would include what the kernel has not written yet.
fn copy_of(image: &Path, place: PartitionExtent) -> File {
    let read = || {
        let mut bytes = vec![0; usize::try_from(place.size).unwrap()];
        File::open(image)
            .unwrap()
            .read_exact_at(&mut bytes, place.start)
            .unwrap();
        bytes
    };
    let mut last = read();
    loop {
        let again = read();
        if again == last {
            break;
        }
        last = again;
    }
    let file = tempfile::tempfile().unwrap();
    file.set_len(place.size).unwrap();
    for (chunk, number) in last.chunks(1 << 20).zip(0..) {
        if chunk.iter().any(|byte| *byte != 0) {
            file.write_all_at(chunk, number * MIB).unwrap();
        }
    }
    file
}

/// This program, started again; killed when it is dropped.
struct Worker {
    child: Child,
    over: bool,
}

impl Worker {
    /// Starts `work`, ordered to do `action` at `step`.
    fn start(work: &str, order: Option<(&str, &str)>) -> Worker {
        #[allow(
            clippy::disallowed_methods,
            reason = "this program is no tool, and is to be killed"
        )]
        let mut command = Command::new("/proc/self/exe");
        command
            .args(["--exact", "the_work_itself", "--test-threads=1", "-q"])
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

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits, and says whether it stopped rather than ended.
    fn stopped(&mut self) -> bool {
        let status = waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
        self.over = !matches!(status, WaitStatus::Stopped(..));
        !self.over
    }

    /// Waits for its end.
    fn ended(mut self) -> WaitStatus {
        self.over = true;
        waitpid(self.pid(), None).unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.over {
            self.signal(Signal::SIGKILL);
            waitpid(self.pid(), None).unwrap();
        }
    }
}

fn steps(prefix: &str) -> Vec<&'static str> {
    failpoints::seen()
        .into_iter()
        .filter(|step| step.starts_with(prefix))
        .collect()
}

/// Does the work here, to learn its steps.
fn learn_save_steps() -> Vec<&'static str> {
    let mut scene = Scene::new();
    scene.change(1);
    do_work(&scene.update().split(' ').collect::<Vec<_>>());
    let steps = steps("save.");
    for step in [
        "save.copy",
        "save.second-pass",
        "save.sync",
        "save.flip",
        "save.remove-last",
    ] {
        assert!(steps.contains(&step), "{step} is missing in {steps:?}");
    }
    steps
}

#[test]
fn an_update_survives_a_cut_and_a_kill_at_every_step() {
    if !is_root() {
        return;
    }
    let steps = learn_save_steps();
    let mut scene = Scene::new();
    for (round, step) in steps.iter().enumerate() {
        scene.change(2 * round + 10);
        let mut worker = Worker::start(&scene.update(), Some((step, "stop")));
        if worker.stopped() {
            scene.check_power_cut();
        } else {
            // Only some steps belong to an update of the default session.
            assert!(
                matches!(*step, "save.checkpoint" | "save.default"),
                "{step} was not reached"
            );
        }
        drop(worker);
        scene.check_after(2 * round + 10);
    }
}

#[test]
fn a_first_save_survives_a_kill_at_every_step() {
    if !is_root() {
        return;
    }
    let steps = learn_save_steps();
    let mut scene = Scene::new();
    for (round, step) in steps.iter().enumerate() {
        let mut worker = Worker::start(&scene.work("-"), Some((step, "stop")));
        if worker.stopped() {
            scene.check_power_cut();
        }
        drop(worker);
        scene.check_after(2 * round + 10);
        forget_others(&scene);
    }
}

/// Deletes what was saved beside the session of the scene.
fn forget_others(scene: &Scene) {
    let store = scene.partition.store();
    for other in Saved::read(store.root()).unwrap().sessions {
        if other.record.id != scene.session {
            manage::delete_session(&store, other.record.id, None, &Unwatched::default()).unwrap();
        }
    }
}

#[test]
fn a_failing_step_is_undone() {
    if !is_root() {
        return;
    }
    let steps = learn_save_steps();
    let mut scene = Scene::new();
    for (round, step) in steps.iter().enumerate() {
        for action in ["enospc", "eio"] {
            scene.change(2 * round + 10);
            let ended = Worker::start(&scene.update(), Some((step, action))).ended();
            let done = matches!(ended, WaitStatus::Exited(_, 0));
            // The save counts by the time the one before is removed.
            let harmless = matches!(
                *step,
                "save.checkpoint" | "save.default" | "save.remove-last"
            );
            assert_eq!(done, harmless, "{action} at {step}");
            let store = scene.partition.store();
            let kept = path_of(&store.root())
                .join(format!("casper/sessions/{}/generations", scene.session));
            let undone = fs::read_dir(kept).unwrap().count() == 1;
            assert!(
                undone || matches!(*step, "save.settle" | "save.remove-last"),
                "{action} at {step}"
            );
            drop(store);
            scene.check_after(2 * round + 10);
        }
    }
}

#[test]
fn saves_survive_random_instants() {
    if !is_root() {
        return;
    }
    let mut scene = Scene::new();
    scene.change(1);
    let started = Instant::now();
    let ended = Worker::start(&scene.update(), None).ended();
    assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
    let whole = started.elapsed();
    for round in 0..kills() {
        scene.change(2 * round + 10);
        let mut worker = Worker::start(&scene.update(), None);
        thread::sleep(random_below(whole));
        worker.signal(Signal::SIGSTOP);
        if worker.stopped() && round % 4 == 0 {
            scene.check_power_cut();
        }
        drop(worker);
        scene.check_after(2 * round + 10);
    }
}

fn kills() -> usize {
    std::env::var("WENDY_KILLS").map_or(8, |number| number.parse().unwrap())
}

fn random_below(limit: Duration) -> Duration {
    let mut bytes = [0_u8; 4];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).unwrap();
    limit.mul_f64(f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX))
}

#[test]
fn a_prepare_killed_at_any_step_leaves_no_half_store() {
    if !is_root() {
        return;
    }
    prepare_as(&Stick::new(SIZE).target(), Mode::Device).unwrap();
    for step in reached(&[
        "prepare.wipe",
        "prepare.table",
        "prepare.tell",
        "prepare.mkfs",
        "prepare.mount",
        "prepare.skeleton",
        "prepare.label",
        "prepare.marker",
        "prepare.flush",
    ]) {
        let stick = Stick::prepared(SIZE);
        let old = stick.store().record().id;
        let work = format!("prepare {} device", stick.node().display());
        assert_killed(&work, step);
        match open_if_any(&stick) {
            // Nothing was done yet, or all of it.
            Some(id) if id == old => assert_eq!(*step, "prepare.wipe"),
            Some(_) => assert_eq!(*step, "prepare.flush"),
            None => {}
        }
        prepare_as(&stick.target(), Mode::Device).unwrap();
        assert_ne!(stick.store().record().id, old);
        check_filesystem(stick.partition(1).node());
    }
}

#[test]
fn a_killed_loopback_prepare_leaves_the_files_and_no_half_store() {
    if !is_root() {
        return;
    }
    let make = || {
        Stick::made(SIZE, |image| {
            drop(run("mkfs.ext4", &["-q", image.to_str().unwrap()]))
        })
    };
    prepare_as(&make().target(), Mode::Loopback).unwrap();
    for step in reached(&[
        "prepare.clear",
        "prepare.allocate",
        "prepare.loop",
        "prepare.mkfs",
        "prepare.mount",
        "prepare.skeleton",
        "prepare.marker",
        "prepare.flush",
        "prepare.rename",
        "prepare.outer-marker",
    ]) {
        let stick = make();
        fs::write(
            path_of(&mounted(stick.node(), "ext4")).join("holiday.jpg"),
            "beach",
        )
        .unwrap();
        let work = format!("prepare {} loopback", stick.node().display());
        assert_killed(&work, step);
        check_filesystem(stick.node());
        assert!(
            OpenStore::open(location(stick.node(), "ext4")).is_err(),
            "{step}"
        );
        prepare_as(&stick.target(), Mode::Loopback).unwrap();
        OpenStore::open(location(stick.node(), "ext4")).unwrap();
        assert_eq!(
            fs::read(path_of(&mounted(stick.node(), "ext4")).join("holiday.jpg")).unwrap(),
            b"beach"
        );
    }
}

/// These steps, all of which this process has come by.
fn reached<'a>(expected: &'a [&'a str]) -> &'a [&'a str] {
    let seen = steps("prepare.");
    let missing: Vec<_> = expected
        .iter()
        .filter(|step| !seen.contains(step))
        .collect();
    assert!(missing.is_empty(), "{missing:?} are no steps");
    expected
}

fn assert_killed(work: &str, step: &str) {
    let ended = Worker::start(work, Some((step, "kill"))).ended();
    let killed = matches!(ended, WaitStatus::Signaled(_, Signal::SIGKILL, _));
    assert!(killed, "{step} was not reached: {ended:?}");
}

fn open_if_any(stick: &Stick) -> Option<wendy_store::StoreId> {
    let has_table = wendy_sys::tool::Tool::new("sfdisk")
        .arg("--json")
        .arg(stick.node())
        .run(&wendy_sys::Cancel::new());
    if has_table.is_err() || stick.table().is_empty() {
        return None;
    }
    let partition = stick.partition(1);
    let store = OpenStore::open(location(partition.node(), "ext4")).ok()?;
    Some(store.record().id)
}
