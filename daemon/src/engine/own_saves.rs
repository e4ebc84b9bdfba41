//! What this start of the system has saved, for as long as it runs.
//!
//! Saving again under a name updates that session only where the system went on from it. Times on a
//! stick cannot tell: another computer may have saved there a minute ago. So each save is noted in
//! `/run`, which is forgotten with the system and outlives a daemon.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use wendy_store::{GenerationRecord, SessionId};

use super::save::Ledger;
use crate::model::{Hub, OwnSave, SessionKey};

/// Saves of sessions. Of one session there are several where nobody knows which of them counts.
type Saves = BTreeMap<SessionKey, Vec<OwnSave>>;

/// The note, one line for each save.
#[derive(Debug, Clone)]
pub struct OwnSaves {
    file: PathBuf,
    hub: Hub,
}

impl OwnSaves {
    /// Kept in this file, which is made when it is needed, and shown in the world.
    pub fn new(file: impl Into<PathBuf>, hub: Hub) -> OwnSaves {
        OwnSaves {
            file: file.into(),
            hub,
        }
    }

    /// Shows what was noted before; nothing if that cannot be read, which is always safe.
    pub fn recall(&self) {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let mut saves = Saves::new();
        for (session, save) in text.lines().filter_map(parse) {
            saves.entry(session).or_default().push(save);
        }
        self.hub.update(|world| world.own_saves = saves);
    }

    /// Notes the save that counts, for those who look at the session next.
    pub fn note(&self, session: SessionId, generation: &GenerationRecord) {
        let only = vec![OwnSave::of(generation)];
        self.change(session, |saves| *saves = only);
    }

    fn change(&self, session: SessionId, change: impl FnOnce(&mut Vec<OwnSave>)) {
        self.hub
            .update(|world| change(world.own_saves.entry(SessionKey::new(session)).or_default()));
        if let Err(error) = self.write(&self.hub.snapshot().own_saves) {
            tracing::warn!(%session, %error, "this save is forgotten when the daemon ends");
        }
    }

    /// Only root can make names in the directory, so nobody is in the way of the new file.
    fn write(&self, saves: &Saves) -> io::Result<()> {
        let all = saves
            .iter()
            .flat_map(|(session, saves)| saves.iter().map(move |save| (session, save)));
        let lines =
            all.map(|(session, save)| format!("{session} {} {}\n", save.generation, save.saved));
        let unfinished = self.file.with_extension("new");
        fs::create_dir_all(self.file.parent().unwrap_or(&self.file))?;
        fs::write(&unfinished, lines.collect::<String>())?;
        fs::rename(&unfinished, &self.file)
    }
}

impl Ledger for OwnSaves {
    fn expect(&self, session: SessionId, generation: &GenerationRecord) {
        self.change(session, |saves| saves.push(OwnSave::of(generation)));
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
