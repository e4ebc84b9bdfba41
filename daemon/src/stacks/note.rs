//! The note about which directory the running system's upper layer is.
//!
//! The stacks name it through links, and a save turns these links to the new generation while the
//! system goes on running from the old one. So the first look in a boot, before any save, writes
//! down where the links lead, and later looks believe the note. It holds for one overlay: another
//! one, after a switch, has another device number. Where the note was lost, the links may lead to a
//! directory that is not the one: whoever opens it finds out.

use std::{
    ffi::OsString,
    fs::File,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use wendy_sys::{DevNum, dir};

const DIRECTORY: &str = "wendy";
const NAME: &str = "upper";

/// Longest path the kernel takes, and a device number.
const MOST: usize = 4096 + 32;

/// Notes the path for this overlay, unless one is noted. Trouble with that is logged: then links are
/// followed each time.
pub fn keep(overlay: DevNum, path: &Path) {
    if read(overlay).is_none()
        && let Err(error) = write(overlay, path)
    {
        tracing::warn!(%error, "the place of the upper layer could not be noted");
    }
}

/// The path noted for this overlay in this boot.
pub fn read(overlay: DevNum) -> Option<PathBuf> {
    let run = File::open("/run").ok()?;
    let note = dir::read_small(&run, Path::new(DIRECTORY).join(NAME), MOST).ok()?;
    let space = note.iter().position(|&byte| byte == b' ')?;
    let noted: DevNum = std::str::from_utf8(&note[..space]).ok()?.parse().ok()?;
    let path = OsString::from_vec(note[space + 1..].to_vec());
    (noted == overlay).then(|| PathBuf::from(path))
}

fn write(overlay: DevNum, path: &Path) -> Result<(), wendy_sys::Error> {
    let run = File::open("/run").map_err(|source| wendy_sys::Error::Os {
        what: "open /run".into(),
        source,
    })?;
    let directory = dir::make_dir(&run, DIRECTORY, 0o755)?;
    let note = [
        overlay.to_string().as_bytes(),
        b" ",
        path.as_os_str().as_bytes(),
    ]
    .concat();
    dir::write_atomic(&directory, NAME, &note, 0o600)
}
