//! Which sessions this system was saved to since its start.
//!
//! Saving again under a name updates that session only if the system went on from it. Times on a
//! stick cannot tell: another computer may have saved there a minute ago. So each save is noted in
//! the runtime directory, which is kept in memory and forgotten with the system. Where it cannot be
//! noted, nothing is lost: people are asked to say --session.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use wendy_dbus::objects::Session;

use crate::world::{Object, World};

const FILE: &str = "wendyctl-saved";

/// Notes a save.
pub fn note(id: &str, generation: u32) {
    // Best effort: not to know is always safe.
    let _ = try_note(id, generation);
}

/// Whether what this session holds was saved from this system since its start, and nobody has saved
/// to it since.
pub fn is_ours(session: &Object<Session>) -> bool {
    is_noted(&notes(), session)
}

/// The last of these sessions that was saved from this system since its start.
pub fn last(world: &World) -> Option<&Object<Session>> {
    let notes = notes();
    world
        .sessions
        .iter()
        .find(|session| is_noted(&notes, session))
}

fn is_noted(notes: &str, session: &Object<Session>) -> bool {
    notes
        .lines()
        .any(|note| note == line(session.id(), session.generation))
}

fn line(id: &str, generation: u32) -> String {
    format!("{id} {generation}")
}

fn notes() -> String {
    fs::read_to_string(file()).unwrap_or_default()
}

fn try_note(id: &str, generation: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file())?;
    writeln!(file, "{}", line(id, generation))
}

/// In the user's runtime directory; /run, where only root can write, for who has none.
fn file() -> PathBuf {
    let directory = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
    PathBuf::from(directory.unwrap_or_else(|| "/run".into())).join(FILE)
}
