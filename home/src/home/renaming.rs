//! Renaming, also over something, also both ways.

use super::namespace::{At, DEPTH_MAX};
use super::{Errno, Home, Ino, Medium, Result, State, Time};

/// How to treat a target that exists; see renameat2(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// Replace it.
    Replace,
    /// Fail.
    NoReplace,
    /// Swap the two.
    Exchange,
}

impl<M: Medium> Home<M> {
    /// Renames `from` to `to`, each a directory and a name in it.
    ///
    /// # Errors
    /// Those of renameat2(2).
    pub fn rename(&self, from: (Ino, &[u8]), to: (Ino, &[u8]), mode: RenameMode) -> Result<()> {
        self.sync_before_replacing(from, to)?;
        let mut state = self.state_at([from.0, to.0])?;
        let ino = state.find(from.0, from.1)?;
        let target = match state.find(to.0, to.1) {
            Ok(target) => Some(target),
            Err(Errno::NOENT) => None,
            Err(other) => return Err(other),
        };
        if let Some(target) = target {
            self.look_into(&mut state, target)?;
        }
        state.require_movable(ino, to.0)?;
        match (target, mode) {
            (Some(_), RenameMode::NoReplace) => Err(Errno::EXIST),
            (None, RenameMode::Exchange) => Err(Errno::NOENT),
            (Some(target), _) if target == ino => Ok(()),
            (Some(target), RenameMode::Exchange) => state.exchange((from, ino), (to, target)),
            (target, _) => state.replace((from, ino), to, target),
        }
    }

    /// What is about to replace something has its content durable first, and the names that lead to it,
    /// whatever the program did: the record may be durable at any time, and it makes garbage of what was
    /// there.
    fn sync_before_replacing(&self, from: (Ino, &[u8]), to: (Ino, &[u8])) -> Result<()> {
        let ino = {
            let state = self.state_at([from.0, to.0])?;
            let ino = state.find(from.0, from.1)?;
            if !state.find(to.0, to.1).is_ok_and(|target| target != ino) {
                return Ok(());
            }
            ino
        };
        self.sync_content(ino)?;
        self.sync_place(ino)
    }
}

impl<M: Medium> State<M> {
    fn require_movable(&self, ino: Ino, dir: Ino) -> Result<()> {
        let into_itself = self.table.is_directory(ino) && self.table.is_within(dir, ino);
        let alive = dir == Ino::ROOT || !self.table.names(dir).is_empty();
        match (into_itself, alive) {
            (true, _) => Err(Errno::INVAL),
            (_, false) => Err(Errno::NOENT),
            _ if self.table.depth(dir) >= DEPTH_MAX => Err(Errno::NAMETOOLONG),
            _ => Ok(()),
        }
    }

    fn replace(
        &mut self,
        (from, ino): (At<'_>, Ino),
        to: At<'_>,
        target: Option<Ino>,
    ) -> Result<()> {
        self.require_replaceable(ino, target)?;
        self.require_nameable(to.0, to.1)?;
        let now = Time::now();
        let mut batch = self.begin()?;
        if let Some(target) = target {
            self.unname(&mut batch, to)?;
            self.touch(&mut batch, target, now)?;
        }
        self.unname(&mut batch, from)?;
        self.name(&mut batch, to.0, to.1, ino)?;
        self.touch(&mut batch, ino, now)?;
        self.touch_dir(&mut batch, from.0, now)?;
        self.touch_dir(&mut batch, to.0, now)?;
        self.finish(batch)?;
        target.map_or(Ok(()), |target| self.drop_if_unused(target))
    }

    fn require_replaceable(&self, ino: Ino, target: Option<Ino>) -> Result<()> {
        let Some(target) = target else { return Ok(()) };
        match (
            self.table.is_directory(ino),
            self.table.is_directory(target),
        ) {
            (true, true) => self.require_empty_dir(target),
            (true, false) => Err(Errno::NOTDIR),
            (false, true) => Err(Errno::ISDIR),
            (false, false) => Ok(()),
        }
    }

    fn exchange(&mut self, a: (At<'_>, Ino), b: (At<'_>, Ino)) -> Result<()> {
        self.require_movable(b.1, a.0.0)?;
        self.require_nameable(a.0.0, a.0.1)?;
        self.require_nameable(b.0.0, b.0.1)?;
        let now = Time::now();
        let mut batch = self.begin()?;
        self.unname(&mut batch, a.0)?;
        self.unname(&mut batch, b.0)?;
        self.name(&mut batch, a.0.0, a.0.1, b.1)?;
        self.name(&mut batch, b.0.0, b.0.1, a.1)?;
        for ino in [a.1, b.1] {
            self.touch(&mut batch, ino, now)?;
        }
        self.touch_dir(&mut batch, a.0.0, now)?;
        self.touch_dir(&mut batch, b.0.0, now)?;
        self.finish(batch)
    }
}
