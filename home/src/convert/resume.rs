//! What an interrupted conversion has left: undone before the switch, completed after it.
//!
//! Each step can be interrupted again and finds what it left. The journal goes last.

use super::journal::{self, Conversion};
use super::to_image::identity;
use super::{Result, conversion, open_files};
use crate::home::{Options, new_root};
use crate::image::{FILE, Image, making};
use crate::medium::directory::{DirectoryMedium, Shown};
use crate::medium::{FactKind, Facts, Medium, ignore_missing};
use crate::mode::{Mode, Standing};
use crate::names::{self, PRIVATE_DIR};
use crate::readme::{self, Readme};
use crate::record::{Kind, Print};
use crate::store::{self, OpenError, Store};
use crate::table::Table;
use crate::table::lowers::TMP_DIR;
use wendy_sys::step;

/// Files of a store; without the first two there is none.
const STORE: [&str; 6] = ["super.0", "super.1", "ckpt.0", "ckpt.1", "log.0", "log.1"];
/// FAT keeps times to two seconds, and in local time: summer time shifts them.
const GRAIN: i64 = 2;
const ZONE_STEP: i64 = 15 * 60;
const ZONE_MAX: i64 = 26 * 3600;

/// Brings the home in `medium`, which must be [locked](DirectoryMedium::lock), to one that nothing of
/// another stands beside, and says which it is. To be done before a home is written to.
///
/// # Errors
/// Those of the medium; the next use tries again, and the home that is in force stays so.
pub fn resume(medium: &DirectoryMedium, options: Options) -> Result<Option<Mode>> {
    let interrupted = conversion(medium)?;
    require_known_format(medium)?;
    making::clear(medium)?;
    if let Some(Conversion { to, switched }) = interrupted {
        tracing::info!(?to, switched, "a conversion was interrupted");
        if switched {
            // It may have been read from the memory of the kernel, and have failed to reach the medium.
            journal::switch(medium, to)?;
        }
        match (to, switched) {
            (Mode::Image, false) => discard_image(medium)?,
            (Mode::Files, false) => discard_store(medium)?,
            (Mode::Image, true) => clear_files(medium)?,
            (Mode::Files, true) => bring_out(medium, options)?,
        }
        step("convert.end")?;
        journal::end(medium)?;
    }
    Ok(Standing::of(medium)?.mode)
}

/// Of a home of a newer version nothing is changed.
fn require_known_format(medium: &DirectoryMedium) -> Result<()> {
    match store::last_use(medium) {
        Err(newer @ OpenError::Newer(_)) => Err(newer.into()),
        _ => Ok(()),
    }
}

/// Removes the image that was being named, and no other.
fn discard_image(medium: &DirectoryMedium) -> Result<()> {
    let ours = |facts: Facts| {
        // What a power failure leaves of the name of a file.
        facts.kind == FactKind::File && facts.size == 0 || is_ours(medium)
    };
    if medium.facts(FILE).is_ok_and(ours) {
        medium.unlink(FILE)?;
    }
    Ok(medium.sync_all()?)
}

/// Whether the image has the identity of the home of files.
fn is_ours(medium: &DirectoryMedium) -> bool {
    let image = Image::open(medium, true).and_then(|image| image.superblock());
    let (Ok(image), Ok(home)) = (image, identity(medium)) else {
        return false;
    };
    image.uuid == home
}

/// Removes the store that was being filled, and what waits in it.
fn discard_store(medium: &DirectoryMedium) -> Result<()> {
    remove_store(medium, &mut |path| remove_tree(medium, path))
}

/// Removes the files that are in the image now, and then their store. What has changed since, or
/// come, stays where it is.
fn clear_files(medium: &DirectoryMedium) -> Result<()> {
    match Store::open(medium, &new_root()) {
        Ok(opened) => remove_lowers(medium, &opened.table)?,
        // That came to its end already.
        Err(OpenError::Missing) => {}
        Err(error) => tracing::error!(%error, "the old files stay beside the image"),
    }
    step("convert.cleared")?;
    remove_store(medium, &mut |path| {
        Ok(ignore_missing(medium.remove_dir(path))?)
    })?;
    readme::write(medium, Readme::Image)?;
    Ok(())
}

/// Brings the files to their places, and then removes the image.
fn bring_out(medium: &DirectoryMedium, options: Options) -> Result<()> {
    let home = open_files(medium.showing(Shown::Without(FILE))?, options)?;
    home.close()?;
    drop(home);
    step("convert.settled")?;
    if is_ours(medium) {
        medium.unlink(FILE)?;
    }
    readme::write(medium, Readme::Files)?;
    medium.hide(PRIVATE_DIR);
    Ok(medium.sync_all()?)
}

fn remove_store(
    medium: &DirectoryMedium,
    remove_waiting: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    for (number, name) in STORE.iter().enumerate() {
        ignore_missing(medium.unlink(&format!("{PRIVATE_DIR}/{name}")))?;
        if number < 2 {
            // From here on nobody takes it for one.
            medium.sync_all()?;
            step("convert.unmade")?;
        }
    }
    remove_waiting(TMP_DIR)?;
    Ok(medium.sync_all()?)
}

/// Removes every lower that is as it was recorded, inner ones first.
fn remove_lowers(medium: &DirectoryMedium, table: &Table) -> Result<()> {
    let mut lowers: Vec<_> = table
        .lowers()
        .filter_map(|(ino, lower)| Some((table.part_path(ino, 1)?, ino, lower)))
        .collect();
    lowers.sort_by_cached_key(|(path, ..)| std::cmp::Reverse(path.matches('/').count()));
    for (path, ino, lower) in lowers {
        step("convert.remove")?;
        let is_directory = table
            .inode(ino)
            .is_some_and(|it| it.kind == Kind::Directory);
        if is_directory {
            // One with something of a stranger's in it stays.
            let _ = medium.remove_dir(&path);
        } else if is_unchanged(medium, &path, lower.parts, &lower.print) {
            for number in (2..=lower.parts).rev() {
                ignore_missing(medium.unlink(&names::part(&path, number)))?;
            }
            ignore_missing(medium.unlink(&path))?;
        }
    }
    Ok(medium.sync_all()?)
}

fn is_unchanged(medium: &DirectoryMedium, path: &str, parts: u16, print: &Print) -> bool {
    let Ok(first) = medium.facts(path) else {
        return false;
    };
    let further = (2..=parts).filter_map(|number| medium.facts(&names::part(path, number)).ok());
    let (size, modified) = further.fold((first.size, first.modified), |(size, modified), part| {
        (size + part.size, modified.max(part.modified))
    });
    let shift = (modified - print.modified).abs();
    let in_another_zone = shift <= ZONE_MAX && shift % ZONE_STEP <= GRAIN;
    size == print.size && (shift <= GRAIN || in_another_zone)
}

/// Removes a directory of ours with everything in it.
fn remove_tree(medium: &DirectoryMedium, top: &str) -> Result<()> {
    let (mut open, mut directories) = (vec![top.to_owned()], Vec::new());
    while let Some(dir) = open.pop() {
        let listed = match medium.list(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other?,
        };
        for (name, facts) in listed {
            let path = format!("{dir}/{name}");
            if facts.kind == FactKind::Directory {
                open.push(path);
            } else {
                step("convert.remove")?;
                ignore_missing(medium.unlink(&path))?;
            }
        }
        directories.push(dir);
    }
    for dir in directories.iter().rev() {
        ignore_missing(medium.remove_dir(dir))?;
    }
    Ok(())
}
