//! A live system, and a store to save it to.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use wendy_store::SessionId;
use wendyd::{
    engine::{
        Error, Unwatched,
        manage::{self, Verdict},
        save::{SaveReport, SaveRequest},
    },
    stores::OpenStore,
};

use crate::common::*;

pub const SIZE: u64 = 256 * MIB;

/// A live system, and a store to save it to.
pub struct Scene {
    pub live: Live,
    _stick: Stick,
    pub partition: Partition,
}

impl Scene {
    pub fn new() -> Option<Scene> {
        if !is_root() {
            return None;
        }
        let stick = Stick::prepared(SIZE);
        let partition = stick.partition(1);
        Some(Scene {
            live: Live::new(),
            _stick: stick,
            partition,
        })
    }

    pub fn save(&self, request: &SaveRequest) -> Result<SaveReport, Error> {
        self.live.save(&self.partition.store(), request)
    }

    pub fn saved(&self, name: &str) -> SaveReport {
        self.save(&named(name)).unwrap()
    }

    pub fn store(&self) -> OpenStore {
        self.partition.store()
    }

    pub fn verdicts(&self) -> Vec<Verdict> {
        let checked = manage::check(&self.store(), None, &Unwatched::default()).unwrap();
        checked.iter().map(|one| one.verdict).collect()
    }

    /// The real directory of the generation that counts.
    pub fn generation(&self, store: &OpenStore, session: SessionId) -> PathBuf {
        followed(&path_of(&store.root()).join(format!("casper/sessions/{session}/current")))
    }
}

/// Waits until every change so far is old enough to be told from a later one: what changed a moment
/// ago is copied again.
pub fn settle() {
    let started = Instant::now();
    let stamp = || {
        let file = tempfile::tempfile_in("/dev/shm").unwrap();
        file.metadata().unwrap().modified().unwrap()
    };
    let first = stamp();
    while stamp().duration_since(first).unwrap_or_default() <= Duration::from_millis(25) {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "the clock stands still"
        );
        thread::yield_now();
    }
}
