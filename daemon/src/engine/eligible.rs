//! Whether a device may be prepared at all, and what is known about it before it is opened.

use std::path::PathBuf;

use super::{
    Error, Result,
    lookup::{device, identity},
    prepare::{Known, Mode, Piece, Target},
};
use crate::model::{Device, DeviceId, World};

/// The device to prepare, if it may be.
///
/// # Errors
/// [`Error::NotFound`], [`Error::BootMedium`], [`Error::InUse`].
pub fn target(world: &World, id: DeviceId, mode: Mode) -> Result<Target> {
    let device = device(world, id)?;
    check_eligible(world, id, mode)?;
    let known = Known {
        device: name_of(device),
        partition: id.partition,
        stores: stores_on(world, id),
    };
    Ok(Target {
        node: PathBuf::from(&device.node),
        identity: identity(id, device),
        known,
        stack: world.live.stack,
        boot_medium: boot_medium(world, id).is_some(),
    })
}

/// Whether the device is built into the computer, where nothing may be erased.
pub fn is_built_in(world: &World, id: DeviceId) -> bool {
    related(world, id).any(|(_, device)| device.system)
}

/// Like `/dev/sda (Kingston DataTraveler)`.
fn name_of(device: &Device) -> String {
    let drive = format!("{} {}", device.vendor, device.model);
    match drive.trim() {
        "" => device.node.clone(),
        drive => format!("{} ({drive})", device.node),
    }
}

/// The device, the disk it is on, and the partitions that are on it.
fn related(world: &World, id: DeviceId) -> impl Iterator<Item = (DeviceId, &Device)> {
    let is_related = move |other: DeviceId| {
        other == id
            || other == id.whole_disk()
            || (id.partition.is_none() && other.whole_disk() == id)
    };
    world
        .devices
        .iter()
        .map(|(id, device)| (*id, device))
        .filter(move |(other, _)| is_related(*other))
}

/// What of the device, its disk or its partitions the running system was started from.
fn boot_medium(world: &World, id: DeviceId) -> Option<&Device> {
    let mut media = related(world, id).filter(|(_, device)| device.boot_medium);
    media.next().map(|(_, device)| device)
}

/// No option bypasses this. Whether something holds the device is asked again when it is opened.
///
/// The medium the system was started from is in use for as long as the system runs. What is on it
/// stays, but the room behind that is free: it is the one place many people have for a store. An
/// image file on it is not offered, because live-boot never looks for one there, and because the
/// filesystem the system runs from would have to be made writable.
fn check_eligible(world: &World, id: DeviceId, mode: Mode) -> Result<()> {
    if let Some(medium) = boot_medium(world, id) {
        let adds_only = mode == Mode::FreeSpace && id.partition.is_none();
        return if adds_only {
            Ok(())
        } else {
            Err(Error::BootMedium(name_of(medium)))
        };
    }
    let touched =
        |other: DeviceId| other == id || mode != Mode::Partition && mode != Mode::Loopback;
    let mut used = related(world, id)
        .filter(|(other, device)| touched(*other) && !device.in_use_by.is_empty());
    match used.next() {
        Some((_, device)) => Err(Error::InUse {
            what: name_of(device),
            by: device.in_use_by.join(", "),
        }),
        None => Ok(()),
    }
}

/// What would be lost with the stores on a device, by partition.
fn stores_on(world: &World, id: DeviceId) -> Vec<(Option<u32>, Piece)> {
    let stores = world
        .stores
        .iter()
        .filter(|(_, store)| store.device == id || store.device.whole_disk() == id);
    let pieces = stores.flat_map(|(key, store)| {
        let place = store.device.partition;
        let itself = (
            place,
            Piece {
                kind: "store",
                size: store.size,
                name: store.name.clone(),
                ..Piece::default()
            },
        );
        let sessions = world
            .sessions
            .values()
            .filter(move |session| session.store == *key);
        let sessions = sessions.map(move |session| {
            (
                place,
                Piece {
                    kind: "session",
                    size: session.size,
                    name: session.name.clone(),
                    ..Piece::default()
                },
            )
        });
        std::iter::once(itself).chain(sessions)
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use wendy_dbus::words::Word;

    use super::*;

    const DISK: DeviceId = DeviceId {
        diskseq: 7,
        partition: None,
    };
    const FIRST: DeviceId = DeviceId {
        diskseq: 7,
        partition: Some(1),
    };
    const SECOND: DeviceId = DeviceId {
        diskseq: 7,
        partition: Some(2),
    };

    fn world() -> World {
        let mut world = World::default();
        for id in [
            DISK,
            FIRST,
            SECOND,
            DeviceId {
                diskseq: 8,
                partition: None,
            },
        ] {
            let node = format!("/dev/{id}");
            world.devices.insert(
                id,
                Device {
                    node,
                    ..Device::default()
                },
            );
        }
        world
    }

    fn refused(world: &World, id: DeviceId, mode: Mode) -> Option<Error> {
        target(world, id, mode).err()
    }

    #[test]
    fn of_the_boot_medium_only_the_free_space_is_prepared() {
        let mut world = world();
        let first = world.devices.get_mut(&FIRST).unwrap();
        first.boot_medium = true;
        first.in_use_by = vec!["mounted at /run/live/medium".to_owned()];
        assert!(target(&world, DISK, Mode::FreeSpace).unwrap().boot_medium);
        assert!(
            !target(&world, DeviceId::disk(8), Mode::FreeSpace)
                .unwrap()
                .boot_medium
        );
        for &(mode, word) in Mode::WORDS {
            let on_disk = refused(&world, DISK, mode);
            assert!(
                mode == Mode::FreeSpace || matches!(on_disk, Some(Error::BootMedium(_))),
                "{word}"
            );
            assert!(
                matches!(refused(&world, FIRST, mode), Some(Error::BootMedium(_))),
                "{word}"
            );
        }
        world.devices.get_mut(&FIRST).unwrap().boot_medium = false;
        world.devices.get_mut(&DISK).unwrap().boot_medium = true;
        assert!(matches!(
            refused(&world, SECOND, Mode::Partition),
            Some(Error::BootMedium(_))
        ));
    }

    #[test]
    fn a_disk_with_a_used_partition_is_in_use() {
        let mut world = world();
        world.devices.get_mut(&SECOND).unwrap().in_use_by = vec!["a mount at /mnt".to_owned()];
        for mode in [Mode::Device, Mode::FreeSpace] {
            let Some(Error::InUse { what, by }) = refused(&world, DISK, mode) else {
                panic!("{mode:?}")
            };
            assert_eq!(
                (what.as_str(), by.as_str()),
                ("/dev/7_p2", "a mount at /mnt")
            );
        }
        assert!(matches!(
            refused(&world, SECOND, Mode::Partition),
            Some(Error::InUse { .. })
        ));
        assert!(refused(&world, FIRST, Mode::Partition).is_none());
    }

    #[test]
    fn unknown_devices_are_not_found() {
        assert!(matches!(
            refused(&world(), DeviceId::disk(9), Mode::Device),
            Some(Error::NotFound(_))
        ));
    }

    #[test]
    fn a_built_in_disk_is_known_by_its_partitions_too() {
        let mut world = world();
        world.devices.get_mut(&DISK).unwrap().system = true;
        assert!(is_built_in(&world, FIRST) && is_built_in(&world, DISK));
        assert!(!is_built_in(&world, DeviceId::disk(8)));
    }
}
