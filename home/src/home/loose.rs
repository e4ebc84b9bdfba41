//! Names on the medium that are not durable.

use super::namespace::DEPTH_MAX;
use super::{Home, Ino, Medium, Result, State, errno};
use std::collections::BTreeMap;
use std::iter::successors;
use std::sync::PoisonError;

/// Lower directories with such names.
#[derive(Clone, Debug, Default)]
pub(super) struct Loose {
    /// Each with the number of its last name.
    dirs: BTreeMap<Ino, u64>,
    /// Names so far.
    names: u64,
}

impl Loose {
    fn add(&mut self, dir: Ino) {
        self.names += 1;
        self.dirs.insert(dir, self.names);
    }

    /// Notes that what `then` tells of is durable.
    fn tightened(&mut self, then: &Self) {
        self.dirs
            .retain(|dir, last| then.dirs.get(dir) != Some(last));
    }
}

impl<M: Medium> Home<M> {
    /// Makes lower names durable; the caller holds `syncing`.
    pub(super) fn tighten_dirs(&self) -> Result<()> {
        let (loose, paths) = {
            let state = self.state();
            let dirs = state.loose.dirs.keys();
            let paths = dirs.filter_map(|dir| state.table.lower_dir(*dir));
            (state.loose.clone(), paths.collect::<Vec<_>>())
        };
        self.sync_dirs(&paths)?;
        self.state().loose.tightened(&loose);
        Ok(())
    }

    /// Makes durable the names that lead to the lower object of `ino`.
    pub(super) fn sync_place(&self, ino: Ino) -> Result<()> {
        let _moving = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        let paths = self.state().loose_above(ino);
        self.sync_dirs(&paths)
    }

    fn sync_dirs(&self, paths: &[String]) -> Result<()> {
        match paths {
            [] => Ok(()),
            _ => self.medium.sync_dirs(paths).map_err(errno),
        }
    }
}

impl<M: Medium> State<M> {
    /// Notes a lower name in `dir` that is not durable.
    pub(super) fn note_name(&mut self, dir: Ino) {
        self.loose.add(dir);
        self.unwritten = true;
    }

    /// Lower directories above the lower object of `ino` in which names are not durable.
    fn loose_above(&self, ino: Ino) -> Vec<String> {
        let above = |ino: &Ino| Some(self.table.lower(*ino)?.place.dir);
        let dirs = successors(above(&ino), above).take(DEPTH_MAX);
        let loose = dirs.filter(|dir| self.loose.dirs.contains_key(dir));
        loose.filter_map(|dir| self.table.lower_dir(dir)).collect()
    }
}
