//! Kills at random instants, `WENDY_KILLS` in all.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::sys::wait::WaitStatus;
use wendyd::{engine::prepare::Mode, stores::OpenStore};

use crate::{
    common::*,
    saves::forget_others,
    scene::{SIZE, Scene},
    work::Worker,
};

/// Every so many kills the medium is looked at as a power cut would leave it.
const CUTS: usize = 4;

/// Two in five kills.
#[test]
fn updates_survive_random_instants() {
    if !is_root() {
        return;
    }
    let mut scene = Scene::new();
    scene.change(1);
    let whole = time_of(&scene.update());
    for round in 0..share(2) {
        scene.change(2 * round + 10);
        let mut worker = Worker::start(&scene.update(), None);
        thread::sleep(random_below(whole));
        if worker.stop() && round % CUTS == 0 {
            scene.check_power_cut();
        }
        worker.kill(round % 2 == 0);
        scene.check_after(2 * round + 10);
    }
}

/// One in five.
#[test]
fn first_saves_survive_random_instants() {
    if !is_root() {
        return;
    }
    let mut scene = Scene::new();
    let whole = time_of(&scene.work("-"));
    forget_others(&scene);
    for round in 0..share(1) {
        let mut worker = Worker::start(&scene.work("-"), None);
        thread::sleep(random_below(whole));
        if worker.stop() && round % CUTS == 0 {
            scene.check_power_cut();
        }
        worker.kill(round % 2 == 0);
        scene.check_after(2 * round + 10);
        forget_others(&scene);
    }
}

/// One in five. A stick that had a store has that one still, a new one, or none.
#[test]
fn prepares_survive_random_instants() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(SIZE);
    let work = format!("prepare {} device", stick.node().display());
    let whole = time_of(&work);
    for round in 0..share(1) {
        let old = stick.store().record().id;
        let mut worker = Worker::start(&work, None);
        thread::sleep(random_below(whole));
        if worker.stop() && round % CUTS == 0 {
            check_cut_stick(&stick);
        }
        worker.kill(round % 2 == 0);
        check_unused(stick.node());
        if let Some(found) = store_on(stick.node()) {
            check_store(&stick);
            assert_eq!(found == old, stick.store().record().id == old);
        }
        prepare_as(&stick.target(), Mode::Device).unwrap();
        check_store(&stick);
        assert_ne!(stick.store().record().id, old);
    }
}

/// One in five. The files of the stick stay, and half a store is none.
#[test]
fn loopback_prepares_survive_random_instants() {
    if !is_root() {
        return;
    }
    let stick = Stick::formatted(SIZE, "ext4");
    fs::write(
        path_of(&mounted(stick.node(), "ext4")).join("holiday.jpg"),
        "beach",
    )
    .unwrap();
    let work = format!("prepare {} loopback", stick.node().display());
    let whole = time_of(&work);
    for round in 0..share(1) {
        let mut worker = Worker::start(&work, None);
        thread::sleep(random_below(whole));
        worker.stop();
        worker.kill(round % 2 == 0);
        check_filesystem(stick.node());
        check_unused(stick.node());
        if let Ok(store) = OpenStore::open(location(stick.node(), "ext4")) {
            assert_eq!(store.record().name.as_str(), "My stick");
        }
        prepare_as(&stick.target(), Mode::Loopback).unwrap();
        let store = OpenStore::open(location(stick.node(), "ext4")).unwrap();
        assert!(store.in_image());
        drop(store);
        let outer = mounted(stick.node(), "ext4");
        assert_eq!(
            fs::read(path_of(&outer).join("holiday.jpg")).unwrap(),
            b"beach"
        );
        assert_eq!(
            names_in(&path_of(&outer)),
            ["casper", "holiday.jpg", "lost+found", "persistence"]
        );
    }
}

/// What is on the medium by now holds no store that only looks like one.
fn check_cut_stick(stick: &Stick) {
    let cut = Stick::made(SIZE, |image| {
        fs::copy(stick.image(), image).unwrap();
    });
    if store_on(cut.node()).is_some() {
        check_store(&cut);
    }
}

fn check_store(stick: &Stick) {
    check_filesystem(stick.partition(1).node());
    let store = stick.store();
    let root = path_of(&store.root());
    assert!(followed(&root.join("upper")).is_dir() && root.join("casper/sessions").is_dir());
    assert_eq!(store.record().name.as_str(), "My stick");
}

fn names_in(directory: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

/// How long the work takes when nobody interrupts it.
fn time_of(work: &str) -> Duration {
    let started = Instant::now();
    let ended = Worker::start(work, None).ended();
    assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
    started.elapsed()
}

/// So many fifths of all kills.
fn share(fifths: usize) -> usize {
    let kills = std::env::var("WENDY_KILLS").map_or(400, |number| number.parse().unwrap());
    (kills * fifths).div_ceil(5)
}

fn random_below(limit: Duration) -> Duration {
    let mut bytes = [0_u8; 4];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).unwrap();
    limit.mul_f64(f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX))
}
