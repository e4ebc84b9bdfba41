//! The last save makes room for the next one, but only for who says so; and stopping a save when
//! it counts already.

use std::fs;

use wendy_layers::Progress;
use wendy_sys::{Cancel, mount};
use wendyd::{
    engine::{
        Error, Result, Watch,
        manage::{self, Verdict},
        save::{self, SaveReport, SaveRequest},
    },
    jobs::Phase,
    stores::{OpenStore, Saved, links},
};

use crate::{common::*, scene::*};

/// Stops the work as soon as it may be stopped in one phase.
#[derive(Debug)]
struct Stopping {
    phase: Phase,
    cancel: Cancel,
}

impl Progress for Stopping {
    fn advance(&self, _: u64, _: u64) {}

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

impl Watch for Stopping {
    fn phase(&self, phase: Phase) {
        if phase == self.phase {
            self.cancel.cancel();
        }
    }

    fn total(&self, _: u64, _: u64) {}

    fn point_of_no_return(&self) -> Result<()> {
        let cancelled = self.cancel.is_cancelled();
        if cancelled {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

fn stopping(phase: Phase) -> Stopping {
    Stopping {
        phase,
        cancel: Cancel::new(),
    }
}

fn stopped_in(phase: Phase, scene: &Scene, request: &SaveRequest) -> Result<SaveReport> {
    let watch = stopping(phase);
    let (store, source, indexes) = (scene.store(), scene.live.source(), scene.live.indexes());
    let context = save::Context {
        store: &store,
        source: &source,
        indexes: &indexes,
        ledger: &(),
        watch: &watch,
    };
    save::save(context, request)
}

/// A session that fills more than half of its store, of which nobody remembers what it looked like.
fn large() -> Option<(Scene, SaveReport)> {
    let scene = Scene::new()?;
    let free = mount::space(scene.store().root()).unwrap().available;
    let content = vec![1; usize::try_from(free / 10 * 6).unwrap()];
    fs::write(scene.live.upper().join("large"), content).unwrap();
    let saved = scene.saved("Large");
    fs::remove_dir_all(scene.live.directory.path().join("index")).unwrap();
    scene.live.write("etc/hostname", "bob\n");
    Some((scene, saved))
}

fn overwriting(report: &SaveReport) -> SaveRequest {
    SaveRequest {
        overwrite: true,
        ..update_of(report)
    }
}

fn default_of(store: &OpenStore) -> Option<wendy_store::SessionId> {
    links::default_session(store.root()).unwrap()
}

#[test]
fn the_last_save_goes_first_where_only_that_makes_room() {
    let Some((scene, first)) = large() else {
        return;
    };
    assert!(matches!(
        scene.save(&update_of(&first)),
        Err(Error::NoSpace { .. })
    ));
    assert_eq!(scene.verdicts(), [Verdict::Complete]);
    let second = scene.save(&overwriting(&first)).unwrap();
    assert_eq!(second.session, first.session);
    assert_eq!(scene.verdicts(), [Verdict::Complete]);
    let store = scene.store();
    assert_eq!(default_of(&store), Some(first.session));
    assert_eq!(look(&stock_upper(&store).unwrap()), scene.live.expected());
}

#[test]
fn a_save_that_fits_nowhere_removes_nothing() {
    let Some((scene, first)) = large() else {
        return;
    };
    let free = mount::space(scene.store().root()).unwrap().available;
    let more = vec![2; usize::try_from(free + (16 << 20)).unwrap()];
    fs::write(scene.live.upper().join("more"), more).unwrap();
    assert!(matches!(
        scene.save(&overwriting(&first)),
        Err(Error::NoSpace { .. })
    ));
    assert_eq!(scene.verdicts(), [Verdict::Complete]);
}

#[test]
fn a_save_that_fits_by_the_estimate_alone_removes_nothing() {
    let Some((scene, first)) = large() else {
        return;
    };
    let free = mount::space(scene.store().root()).unwrap().available;
    let last = first.generation.size;
    // More than there is, by half of what an estimate adds for metadata: a hundredth and 1 MiB.
    let too_much = free + last + last / 200 + (MIB / 2);
    let content = (too_much - 2 * MIB) * 100 / 101;
    let content = vec![2; usize::try_from(content).unwrap()];
    fs::write(scene.live.upper().join("large"), content).unwrap();
    let refused = scene.save(&overwriting(&first));
    assert!(matches!(refused, Err(Error::NoSpace { .. })), "{refused:?}");
    assert_eq!(scene.verdicts(), [Verdict::Complete]);
}

#[test]
fn a_deletion_that_is_stopped_changes_nothing() {
    let Some(scene) = Scene::new() else { return };
    let (one, _) = (scene.saved("One").session, scene.saved("Two"));
    let (store, watch) = (scene.store(), stopping(Phase::Committing));
    let stopped = manage::delete_session(&store, one, None, &watch);
    assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
    assert_eq!(default_of(&store), Some(one));
}

#[test]
fn stopped_after_the_last_save_went_the_session_is_gone_and_the_next_save_works() {
    let Some((scene, first)) = large() else {
        return;
    };
    let stopped = stopped_in(Phase::Copying, &scene, &overwriting(&first));
    assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
    let store = scene.store();
    let saved = Saved::read(store.root()).unwrap();
    assert!(saved.sessions.iter().all(|session| session.saved.is_none()));
    assert_eq!((default_of(&store), stock_upper(&store)), (None, None));
    drop(store);
    scene.save(&update_of(&first)).unwrap();
    assert_eq!(scene.verdicts(), [Verdict::Complete]);
    assert_eq!(default_of(&scene.store()), Some(first.session));
}

#[test]
fn stopped_while_it_compares_a_save_counts_and_says_so() {
    let Some(scene) = Scene::new() else { return };
    settle();
    let first = scene.saved("Biofuel report");
    scene.live.write("etc/hostname", "bob\n");
    let second = stopped_in(Phase::Comparing, &scene, &update_of(&first)).unwrap();
    assert!(!second.compared && second.generation.generation.number() == 2);
    assert_eq!(scene.verdicts(), [Verdict::Complete]);
    assert_eq!(
        look(&stock_upper(&scene.store()).unwrap()),
        scene.live.expected()
    );
}
