//! What this start of the system has saved, for as long as it runs.
//!
//! Saving again under a name updates that session only where the system went on from it. Times on a
//! stick cannot tell: another computer may have saved there a minute ago. So each save is noted in
//! `/run`, which is forgotten with the system and outlives a daemon.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use wendy_store::{GenerationRecord, SessionId};

use crate::model::{Hub, OwnSave, SessionKey};

/// The note, one line for each session.
#[derive(Debug, Clone)]
pub struct OwnSaves(PathBuf);

impl OwnSaves {
    /// Kept in this file, which is made when it is needed.
    pub fn new(file: impl Into<PathBuf>) -> OwnSaves {
        OwnSaves(file.into())
    }

    /// What was noted before; nothing if that cannot be read, which is always safe.
    pub fn read(&self) -> BTreeMap<SessionKey, OwnSave> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().filter_map(parse).collect()
    }

    /// Notes a save, for those who look at the session next.
    pub fn note(&self, hub: &Hub, session: SessionId, generation: &GenerationRecord) {
        let save = OwnSave::of(generation);
        hub.update(|world| {
            let saves = &mut world.own_saves;
            saves.insert(SessionKey::new(session), save);
        });
        if let Err(error) = self.write(&hub.snapshot().own_saves) {
            tracing::warn!(%session, %error, "this save is forgotten when the daemon ends");
        }
    }

    /// Only root can make names in the directory, so nobody is in the way of the new file.
    fn write(&self, saves: &BTreeMap<SessionKey, OwnSave>) -> io::Result<()> {
        let lines = saves
            .iter()
            .map(|(session, save)| format!("{session} {} {}\n", save.generation, save.saved));
        let unfinished = self.0.with_extension("new");
        fs::create_dir_all(self.0.parent().unwrap_or(&self.0))?;
        fs::write(&unfinished, lines.collect::<String>())?;
        fs::rename(&unfinished, &self.0)
    }
}

fn parse(line: &str) -> Option<(SessionKey, OwnSave)> {
    let mut words = line.split(' ');
    let session = u128::from_str_radix(words.next()?, 16).ok()?;
    let save = OwnSave {
        generation: words.next()?.parse().ok()?,
        saved: words.next()?.parse().ok()?,
    };
    Some((SessionKey(session), save))
}
