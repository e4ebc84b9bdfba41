//! `VERSION.txt`: what this is, for someone who finds it on a stick and has never heard of it.

use crate::medium::{Medium, MediumFile};
use std::io;

/// Path of the text on the medium.
pub const PATH: &str = ".wendy/VERSION.txt";

const FILES_TEXT: &str = include_str!("readme/files.txt");
const IMAGE_TEXT: &str = include_str!("readme/image.txt");

/// How the home is kept that the text is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readme {
    /// As files.
    Files,
    /// As an image.
    Image,
}

/// Writes the text.
///
/// # Errors
/// Those of the medium.
pub fn write<M: Medium>(medium: &M, about: Readme) -> io::Result<()> {
    let text = match about {
        Readme::Files => FILES_TEXT,
        Readme::Image => IMAGE_TEXT,
    };
    // Lines end as the oldest editor of Windows wants them.
    let text = text.replace('\n', "\r\n");
    let file = match medium.create(PATH) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => medium.open(PATH)?,
        other => other?,
    };
    file.set_len(0)?;
    file.write_at(text.as_bytes(), 0)?;
    file.sync()
}
