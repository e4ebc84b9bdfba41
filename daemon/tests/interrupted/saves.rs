//! A save that is killed, cut off from power, or fails at a step.

use std::fs;

use nix::sys::wait::WaitStatus;
use wendyd::{
    engine::{Unwatched, manage},
    stores::Saved,
};

use crate::{
    common::*,
    scene::Scene,
    work::{Worker, do_work, steps},
};

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
        "save.compare",
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
            // Only some steps belong to a quick update of the default session.
            assert!(
                matches!(
                    *step,
                    "save.checkpoint" | "save.default" | "save.second-pass"
                ),
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
pub fn forget_others(scene: &Scene) {
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
            // An update has a second pass only if a file was in motion during the first.
            let either = *step == "save.second-pass";
            assert!(done == harmless || either, "{action} at {step}: {done}");
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
