//! A live system, and a store to save it to.

use std::path::PathBuf;

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
pub struct Bench {
    pub live: Live,
    _stick: Stick,
    pub partition: Partition,
}

impl Bench {
    pub fn new() -> Option<Bench> {
        if !is_root() {
            return None;
        }
        let stick = Stick::prepared(SIZE);
        let partition = stick.partition(1);
        Some(Bench {
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
