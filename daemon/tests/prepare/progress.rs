//! How far a prepare is, and stopping it wherever it is.

use std::sync::Mutex;

use wendy_layers::Progress;
use wendy_sys::Cancel;
use wendyd::{
    engine::{
        Error, Result, Watch,
        prepare::{self, Mode},
    },
    jobs::Phase,
    stores::OpenStore,
};

use crate::{SIZE, common::*, images::hybrid_dos};

/// Writes down what it is told, and stops the work in one phase.
#[derive(Debug, Default)]
struct Recorder {
    stop_in: Option<Phase>,
    cancel: Cancel,
    heard: Mutex<Vec<Heard>>,
}

#[derive(Debug, Clone)]
struct Heard {
    phase: Phase,
    total: u64,
    done: u64,
}

impl Recorder {
    fn stopping_in(phase: Phase) -> Recorder {
        Recorder {
            stop_in: Some(phase),
            ..Recorder::default()
        }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

impl Progress for Recorder {
    fn advance(&self, bytes: u64, _: u64) {
        self.heard.lock().unwrap().last_mut().unwrap().done += bytes;
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

impl Watch for Recorder {
    fn phase(&self, phase: Phase) {
        self.heard.lock().unwrap().push(Heard {
            phase,
            total: 0,
            done: 0,
        });
        if self.stop_in == Some(phase) {
            self.cancel.cancel();
        }
    }

    fn total(&self, bytes: u64, _: u64) {
        let mut heard = self.heard.lock().unwrap();
        let last = heard.last_mut().unwrap();
        assert_eq!((last.total, last.done), (0, 0), "the total comes first");
        last.total = bytes;
    }

    fn point_of_no_return(&self) -> Result<()> {
        self.cancel.check().map_err(|_| Error::Cancelled)
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

/// A stick to prepare in this way; `ext2` has no quick way to reserve room for a file.
fn stick(mode: Mode) -> Stick {
    match mode {
        Mode::FreeSpace => Stick::made(SIZE, hybrid_dos),
        Mode::Loopback => Stick::formatted(SIZE, "ext2"),
        Mode::Device | Mode::Partition => Stick::new(SIZE),
    }
}

fn prepare_watched(stick: &Stick, mode: Mode, watch: &Recorder) -> Result<()> {
    let agreed = plan(&stick.target(), mode)?;
    prepare::prepare(&stick.target(), &request(mode), &agreed, watch).map(drop)
}

#[test]
fn every_phase_that_writes_much_tells_how_far_it_is() {
    if !is_root() {
        return;
    }
    let cases = [
        (Mode::Device, vec![Phase::Wiping, Phase::Formatting]),
        (Mode::FreeSpace, vec![Phase::Wiping, Phase::Formatting]),
        (Mode::Loopback, vec![Phase::Allocating, Phase::Formatting]),
    ];
    for (mode, phases) in cases {
        let watch = Recorder::default();
        prepare_watched(&stick(mode), mode, &watch).unwrap();
        let heard = watch.heard();
        for phase in phases {
            let told = heard.iter().find(|heard| heard.phase == phase).unwrap();
            assert!(
                told.total > 0 && told.done == told.total,
                "{mode:?}: {told:?}"
            );
        }
    }
}

#[test]
fn stopped_in_any_phase_it_leaves_no_store() {
    if !is_root() {
        return;
    }
    for mode in [Mode::Device, Mode::FreeSpace, Mode::Loopback] {
        let all = Recorder::default();
        prepare_watched(&stick(mode), mode, &all).unwrap();
        for phase in all.heard().into_iter().map(|heard| heard.phase) {
            let stick = stick(mode);
            let stopped = prepare_watched(&stick, mode, &Recorder::stopping_in(phase));
            assert!(
                matches!(stopped, Err(Error::Cancelled)),
                "{mode:?} {phase:?}: {stopped:?}"
            );
            check_no_store(&stick, mode);
            prepare_watched(&stick, mode, &Recorder::default()).unwrap();
        }
    }
}

fn check_no_store(stick: &Stick, mode: Mode) {
    match mode {
        Mode::Loopback => {
            assert!(OpenStore::open(location(stick.node(), "ext2")).is_err());
            let root = path_of(&mounted(stick.node(), "ext2"));
            assert!(!root.join("persistence").exists() && !root.join(".wendy-unfinished").exists());
        }
        Mode::FreeSpace => assert_eq!(stick.table().len(), 2),
        Mode::Device | Mode::Partition => {
            assert!(plan(&stick.target(), mode).is_ok_and(|plan| !plan.destroys()));
        }
    }
}
