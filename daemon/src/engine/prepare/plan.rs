//! What a prepare would destroy and what it would make, decided from what was found.
//!
//! Pure: the same findings and the same request give the same plan, so a plan made again right
//! before the work can be compared with the one that was agreed to.

use wendy_dbus::words::Word;
use wendy_store::{Name, Stack};

use super::{
    found::{Found, Part, Piece},
    place::{self, Place},
    request::{Mode, PrepareRequest},
};
use crate::{
    engine::{Error, Result},
    jobs::Facts,
};

/// A plan that people can read and programs can compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparePlan {
    /// How the device is turned into a store.
    pub mode: Mode,
    /// What the device is called, for people.
    pub device: String,
    /// What the store will be called.
    pub name: Name,
    /// Everything that will be gone afterwards, in the order of the medium.
    pub lost: Vec<Piece>,
    /// What stays, but for something that is added to it.
    pub changed: Vec<Piece>,
    /// Where the store will be.
    pub place: Place,
    /// Words of caution, as the contract lists them.
    pub warnings: Vec<String>,
}

impl PreparePlan {
    /// Decides what becomes of what was found.
    ///
    /// # Errors
    /// Every reason why it cannot be done here, as far as it can be known before trying.
    pub fn make(
        found: &Found,
        stack: Option<Stack>,
        request: &PrepareRequest,
    ) -> Result<PreparePlan> {
        let name = Name::new(request.name.as_str())?;
        check_filesystem(request.filesystem.as_deref())?;
        if found.read_only {
            return Err(Error::ReadOnly(found.device.clone()));
        }
        let place = place::choose(found, stack, request.mode, request.size)?;
        let lost = losses(found, request.mode);
        let warnings = warnings((found, stack), request.mode, &place);
        Ok(PreparePlan {
            mode: request.mode,
            device: found.device.clone(),
            name,
            changed: changes(found, request.mode, &place),
            lost,
            place,
            warnings,
        })
    }

    /// Whether somebody must agree first.
    pub fn destroys(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The plan for the bus.
    pub fn facts(&self) -> Facts {
        Facts::new()
            .with("mode", self.mode.word())
            .with("name", self.name.as_str())
            .with("filesystem", "ext4")
            .with("size", self.place.size)
            .with("destroys", self.destroys())
            .with(
                "lost",
                self.lost.iter().map(Piece::facts).collect::<Vec<_>>(),
            )
            .with(
                "changed",
                self.changed.iter().map(Piece::facts).collect::<Vec<_>>(),
            )
            .with(
                "made",
                self.made().iter().map(Piece::facts).collect::<Vec<_>>(),
            )
            .with("warnings", self.warnings.clone())
    }

    /// What will be there.
    pub fn made(&self) -> Vec<Piece> {
        let Place {
            size,
            label,
            partition_name,
            image,
            ..
        } = self.place;
        let piece = |kind| Piece {
            kind,
            size,
            ..Piece::default()
        };
        let mut made = Vec::new();
        if self.mode == Mode::Device {
            made.push(Piece {
                filesystem: "gpt".to_owned(),
                ..piece("partition-table")
            });
        }
        if matches!(self.mode, Mode::Device | Mode::FreeSpace) {
            made.push(Piece {
                label: partition_name.to_owned(),
                ..piece("partition")
            });
        }
        if !image.is_empty() {
            made.push(Piece {
                name: image.to_owned(),
                ..piece("image")
            });
        }
        made.push(Piece {
            label: label.to_owned(),
            filesystem: "ext4".to_owned(),
            ..piece("filesystem")
        });
        made.push(Piece {
            name: self.name.to_string(),
            ..piece("store")
        });
        made
    }
}

impl Piece {
    /// The piece for the bus.
    fn facts(&self) -> Facts {
        let known = |text: &String| (!text.is_empty()).then(|| text.clone());
        Facts::new()
            .with("kind", self.kind)
            .with("size", self.size)
            .with_known("used", self.used)
            .with_known("label", known(&self.label))
            .with_known("uuid", known(&self.uuid))
            .with_known("filesystem", known(&self.filesystem))
            .with_known("name", known(&self.name))
    }
}

fn check_filesystem(filesystem: Option<&str>) -> Result<()> {
    match filesystem {
        None | Some("ext4") => Ok(()),
        Some(other) => Err(Error::NotSupported(format!(
            "a store cannot be made as {other:?}; use ext4"
        ))),
    }
}

/// Beyond this size nobody is surprised by how much fits.
const SMALL: u64 = 1 << 30;

fn warnings((found, stack): (&Found, Option<Stack>), mode: Mode, place: &Place) -> Vec<String> {
    let holder = found.room.as_ref().filter(|_| mode == Mode::Loopback);
    let warnings = [
        (place.size < SMALL, "small"),
        (
            mode == Mode::FreeSpace && found.image_end > 0,
            "boot-image-kept",
        ),
        (
            holder.is_some_and(|room| !is_searched(stack, &room.fs_type)),
            "not-found-at-boot",
        ),
    ];
    let given = warnings.into_iter().filter(|(is_so, _)| *is_so);
    given.map(|(_, warning)| warning.to_owned()).collect()
}

/// Whether a stock image looks for the store in an image file on such a filesystem: casper does on
/// FAT alone; the initramfs of live-boot has no driver for NTFS; dracut attaches no such file.
fn is_searched(stack: Option<Stack>, fs_type: &str) -> bool {
    match stack {
        Some(Stack::Casper) => fs_type == "vfat",
        Some(Stack::LiveBoot) | None => fs_type != "ntfs3",
        Some(Stack::Dracut) => false,
    }
}

fn changes(found: &Found, mode: Mode, place: &Place) -> Vec<Piece> {
    let changed = match (mode, &found.part) {
        (
            Mode::FreeSpace,
            Part::Disk {
                table: Some(table), ..
            },
        ) => Some(table.kind.as_str()),
        (Mode::Partition, Part::Partition { table, .. }) if !place.partition_name.is_empty() => {
            Some(table.as_str())
        }
        _ => None,
    };
    let table = changed.map(|kind| Piece {
        kind: "partition-table",
        filesystem: kind.to_owned(),
        ..Piece::default()
    });
    let filesystem = found.content.as_ref().filter(|_| mode == Mode::Loopback);
    let filesystem = filesystem.and_then(|content| content.pieces().next());
    table.into_iter().chain(filesystem).collect()
}

fn losses(found: &Found, mode: Mode) -> Vec<Piece> {
    match mode {
        Mode::FreeSpace => Vec::new(),
        Mode::Loopback => lost_image(found).into_iter().collect(),
        Mode::Device | Mode::Partition => lost_table(found)
            .into_iter()
            .chain(found.content.iter().flat_map(|content| content.pieces()))
            .chain(lost_partitions(found))
            .collect(),
    }
}

fn lost_image(found: &Found) -> Option<Piece> {
    let room = found.room.as_ref()?;
    let size = room.old_image?;
    Some(Piece {
        kind: "image",
        size,
        name: room.image.to_owned(),
        ..Piece::default()
    })
}

fn lost_table(found: &Found) -> Option<Piece> {
    let Part::Disk {
        table: Some(table),
        partitions,
    } = &found.part
    else {
        return None;
    };
    let filesystem = table.kind.as_str().to_owned();
    let table = Piece {
        kind: "partition-table",
        size: found.size(),
        filesystem,
        ..Piece::default()
    };
    (!partitions.is_empty()).then_some(table)
}

fn lost_partitions(found: &Found) -> Vec<Piece> {
    let Part::Disk { partitions, .. } = &found.part else {
        return Vec::new();
    };
    let pieces = partitions.iter().flat_map(|partition| {
        let itself = Piece {
            kind: "partition",
            size: partition.size,
            label: partition.name.clone(),
            name: partition.number.to_string(),
            ..Piece::default()
        };
        let within = partition
            .content
            .iter()
            .flat_map(|content| content.pieces());
        std::iter::once(itself).chain(within)
    });
    pieces.collect()
}

#[cfg(test)]
mod tests;
