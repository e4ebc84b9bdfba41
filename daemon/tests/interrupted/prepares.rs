//! A prepare that is killed: never half a store, and the files of the stick stay.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

use nix::sys::{signal::Signal, wait::WaitStatus};
use wendyd::{engine::prepare::Mode, stores::OpenStore};

use crate::{
    common::*,
    scene::SIZE,
    work::{Worker, steps},
};

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
        match store_on(stick.node()) {
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
fn a_killed_prepare_of_free_space_lists_nothing_but_a_whole_store() {
    if !is_root() {
        return;
    }
    let steps = [
        "prepare.wipe",
        "prepare.mkfs",
        "prepare.mount",
        "prepare.skeleton",
        "prepare.label",
        "prepare.marker",
        "prepare.flush",
        "prepare.table",
        "prepare.tell",
    ];
    let of_a_gpt = [&steps[..], &["prepare.entry"]].concat();
    for (shape, steps) in [(SHAPES[0], &steps[..]), (SHAPES[2], &of_a_gpt)] {
        prepare_as(&live_stick(SIZE, shape).0.target(), Mode::FreeSpace).unwrap();
        for step in reached(steps) {
            kill_in_free_space(shape, step);
        }
    }
}

/// Kills a prepare of the room behind an image, and does it again.
fn kill_in_free_space(shape: Shape, step: &str) {
    let stick = live_stick(SIZE, shape).0;
    let (old, before) = (stick.table(), boot_sector(&stick));
    let work = format!("prepare {} free-space", stick.node().display());
    assert_killed(&work, step);
    check_unused(stick.node());
    let stick = stick.replugged();
    assert!(boot_sector(&stick) == before, "{step}");
    match stick.table().strip_prefix(&old[..]).unwrap() {
        [] => prepare_as(&stick.target(), Mode::FreeSpace).unwrap(),
        [new] => {
            let partition = stick.partition(new.number);
            check_filesystem(partition.node());
            OpenStore::open(location(partition.node(), "ext4")).unwrap();
            assert_eq!(step, "prepare.tell");
        }
        more => panic!("{step}: {more:?}"),
    }
    assert_eq!(stick.table().len(), old.len() + 1, "{step}");
}

/// The first sector, as far as the image fills it: with code and two entries.
fn boot_sector(stick: &Stick) -> [u8; 446 + 2 * 16] {
    let mut sector = [0; _];
    let image = File::open(stick.image()).unwrap();
    image.read_exact_at(&mut sector, 0).unwrap();
    sector
}

#[test]
fn a_killed_loopback_prepare_leaves_the_files_and_no_half_store() {
    if !is_root() {
        return;
    }
    let make = || Stick::formatted(SIZE, "ext4");
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
