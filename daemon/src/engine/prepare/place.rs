//! Where on a device a store goes, and how large it becomes.

use wendy_store::{Stack, layout};

use super::{
    found::{Found, Part},
    request::Mode,
    table::{Table, TableKind},
};
use crate::engine::{Error, Result};

/// Partitions start and end at multiples of this: erase blocks of flash are not larger.
pub const ALIGN: u64 = 4 << 20;
/// Kept free behind the last partition, for the second copy of a GPT.
const TAIL: u64 = 1 << 20;
/// A store smaller than this holds nothing worth keeping.
pub const MIN_STORE: u64 = 64 << 20;
/// Left free on a filesystem that carries an image, for its own records.
const MARGIN: u64 = 4 << 20;
/// Image files are whole blocks.
const BLOCK: u64 = 4096;

/// The place of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it starts on the disk, in bytes; 0 for an image file.
    pub start: u64,
    /// Size in bytes.
    pub size: u64,
    /// Label of the filesystem; empty for none.
    pub label: &'static str,
    /// Name of the partition in a GPT; empty for none.
    pub partition_name: &'static str,
    /// Name of the image file; empty for none.
    pub image: &'static str,
}

/// Chooses the place for a store of `size` bytes, or of all there is.
///
/// # Errors
/// Too small, or no such place on this device.
pub fn choose(found: &Found, stack: Option<Stack>, mode: Mode, size: Option<u64>) -> Result<Place> {
    match mode {
        Mode::Device => whole_device(found, size),
        Mode::Partition => partition(found, stack, size),
        Mode::FreeSpace => free_space(found, stack, size),
        Mode::Loopback => image(found, stack, size),
    }
}

fn whole_device(found: &Found, size: Option<u64>) -> Result<Place> {
    if !matches!(found.part, Part::Disk { .. }) {
        return not_supported(
            found,
            "is a partition; prepare it by its own mode, or its disk",
        );
    }
    let room = align_down(found.size().saturating_sub(TAIL)).saturating_sub(ALIGN);
    let size = align_down(fit(&found.device, size, room)?);
    Ok(Place {
        start: ALIGN,
        size,
        label: layout::FILESYSTEM_LABEL,
        partition_name: layout::PARTITION_NAME,
        image: "",
    })
}

fn partition(found: &Found, stack: Option<Stack>, size: Option<u64>) -> Result<Place> {
    let Part::Partition {
        start, ref table, ..
    } = found.part
    else {
        return not_supported(found, "is a whole disk; name one of its partitions");
    };
    if size.is_some_and(|asked| asked != found.size()) {
        return not_supported(found, "keeps its size; leave the size out");
    }
    let size = fit(&found.device, None, found.size())?;
    Ok(Place {
        start,
        size,
        ..named(table, stack)
    })
}

fn free_space(found: &Found, stack: Option<Stack>, size: Option<u64>) -> Result<Place> {
    let Part::Disk {
        table: Some(table), ..
    } = &found.part
    else {
        return not_supported(found, "has no partition table; prepare the whole device");
    };
    let start = end_of_use(found, table).next_multiple_of(ALIGN).max(ALIGN);
    let room = align_down(end_of_table(found, table)?).saturating_sub(start);
    let size = align_down(fit(
        &format!("the free space of {}", found.device),
        size,
        room,
    )?);
    Ok(Place {
        start,
        size,
        ..named(&table.kind, stack)
    })
}

fn image(found: &Found, stack: Option<Stack>, size: Option<u64>) -> Result<Place> {
    let Some(room) = &found.room else {
        return not_supported(found, "has no filesystem that could hold an image file");
    };
    let free = room
        .free
        .saturating_add(room.old_image.unwrap_or(0))
        .saturating_sub(MARGIN);
    let limit = layout::file_limit(&room.fs_type).unwrap_or(u64::MAX);
    let size = fit(
        &format!("the filesystem of {}", found.device),
        size,
        free.min(limit),
    )?;
    Ok(Place {
        start: 0,
        size: size / BLOCK * BLOCK,
        label: "",
        partition_name: "",
        image: image_name(stack),
    })
}

/// The image is called what the running stack looks for, which is the stack it will be booted by.
pub fn image_name(stack: Option<Stack>) -> &'static str {
    layout::image_name(stack.unwrap_or(Stack::LiveBoot))
}

/// With a partition name live-boot is content, and the label can be what casper looks for.
/// Without one there is only the label, and it must please the stack that is in use here.
fn named(table: &TableKind, stack: Option<Stack>) -> Place {
    let by_name = *table == TableKind::Gpt;
    let partition_name = if by_name { layout::PARTITION_NAME } else { "" };
    let for_live_boot = !by_name && stack == Some(Stack::LiveBoot);
    let label = if for_live_boot {
        layout::PARTITION_NAME
    } else {
        layout::FILESYSTEM_LABEL
    };
    Place {
        start: 0,
        size: 0,
        label,
        partition_name,
        image: "",
    }
}

/// The first byte behind everything that must stay. An image made for a smaller disk has the second
/// copy of its GPT behind what it calls usable; that belongs to the image and stays as well.
fn end_of_use(found: &Found, table: &Table) -> u64 {
    let old_copy = table
        .last_usable
        .filter(|end| end.saturating_add(TAIL) < found.size());
    let old_end = old_copy.map_or(0, |end| end + TAIL);
    [found.image_end, found.known_end, old_end]
        .into_iter()
        .fold(table.end(), u64::max)
}

fn end_of_table(found: &Found, table: &Table) -> Result<u64> {
    let end = found.size().saturating_sub(TAIL);
    match &table.kind {
        TableKind::Gpt => Ok(end),
        // It counts sectors in 32 bits.
        TableKind::Dos if table.has_slot() => Ok(end.min(u64::from(u32::MAX) * found.sector)),
        TableKind::Dos => not_supported(
            found,
            "has four partitions, and its table has room for no more",
        ),
        TableKind::Other(_) => {
            let why = "has a partition table of a kind to which nothing can be added";
            not_supported(found, why)
        }
    }
}

fn fit(what: &str, asked: Option<u64>, room: u64) -> Result<u64> {
    if let Some(asked) = asked.filter(|asked| *asked < MIN_STORE) {
        return Err(Error::TooSmall {
            what: "the asked size".to_owned(),
            have: asked,
            need: MIN_STORE,
        });
    }
    let need = asked.unwrap_or(MIN_STORE);
    if room < need {
        return Err(Error::TooSmall {
            what: what.to_owned(),
            have: room,
            need,
        });
    }
    Ok(asked.unwrap_or(room))
}

fn align_down(bytes: u64) -> u64 {
    bytes / ALIGN * ALIGN
}

fn not_supported<T>(found: &Found, why: &str) -> Result<T> {
    Err(Error::NotSupported(format!("{} {why}", found.device)))
}
