//! One look at all block devices, turned into a [`Scene`].

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use wendy_sys::{DevNum, mountinfo::Mount};

use super::{
    BlockFacts, Running, Scene, Sighting,
    classify::classify,
    events::udev_runs,
    standing::Machine,
    usage::{Usage, Users, usage},
};
use crate::model::{Device, DeviceId};

/// Drivers whose devices never hold a medium: memory, compressed memory, floppy disks.
const NOT_MEDIA: [&str; 3] = ["ram", "zram", "fd"];

/// Reads every block device from udev and sysfs.
pub fn devices() -> io::Result<Vec<BlockFacts>> {
    let mut enumerator = udev::Enumerator::new()?;
    enumerator.match_subsystem("block")?;
    let found = enumerator.scan_devices()?;
    let facts = found.filter_map(|device| BlockFacts::read(&device));
    Ok(facts.filter(|facts| !is_no_medium(facts)).collect())
}

/// Reads what was told of anew, with the partitions of a disk. Of the others only what makes no
/// event is read, for reading all is slow on a machine with dozens of loop devices.
pub fn refresh(facts: &mut Vec<BlockFacts>, told: &BTreeSet<DevNum>) {
    let disks: BTreeSet<_> = facts
        .iter()
        .filter(|one| told.contains(&one.devnum) && one.name == one.disk)
        .map(|one| one.disk.clone())
        .collect();
    let is_stale = |one: &BlockFacts| told.contains(&one.devnum) || disks.contains(&one.disk);
    let stale = facts
        .iter()
        .filter(|one| is_stale(one))
        .map(|one| one.devnum);
    let again: BTreeSet<_> = stale.chain(told.iter().copied()).collect();
    facts.retain_mut(|one| {
        let stays = !again.contains(&one.devnum);
        if stays {
            one.refresh();
        }
        stays
    });
    facts.extend(again.into_iter().filter_map(device_of));
}

fn device_of(devnum: DevNum) -> Option<BlockFacts> {
    let device = udev::Device::from_devnum(udev::DeviceType::Block, devnum.raw()).ok()?;
    BlockFacts::read(&device).filter(|facts| !is_no_medium(facts))
}

/// The nodes in use as swap, from the text of `/proc/swaps` (proc(5)).
pub fn swaps(table: &str) -> Vec<String> {
    let nodes = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    nodes.map(str::to_owned).collect()
}

/// Puts together what others are told.
pub fn compose(
    facts: &[BlockFacts],
    users: Users<'_>,
    touched: &BTreeMap<DevNum, u64>,
    sequence: u64,
) -> Scene {
    let usages = usage(facts, users);
    let machine = Machine {
        devices: facts,
        mounts: users.mounts,
        usages: &usages,
    };
    // Without udev nobody will ever finish with a device, so it is shown as it is.
    let waits = facts.iter().any(|facts| !facts.initialized) && udev_runs();
    let sightings = facts
        .iter()
        .filter(|facts| facts.initialized || !waits)
        .map(|one| {
            let usage = usages.get(&one.devnum).cloned().unwrap_or_default();
            let touched = touched.get(&one.devnum).copied().unwrap_or_default();
            let device = device(one, machine, usage);
            (
                one.id,
                Sighting {
                    facts: one.clone(),
                    device,
                    touched,
                },
            )
        });
    Scene {
        sequence,
        devices: sightings.collect(),
    }
}

fn is_no_medium(facts: &BlockFacts) -> bool {
    let driver = facts
        .disk
        .trim_end_matches(|character: char| character.is_ascii_digit());
    NOT_MEDIA.contains(&driver)
}

fn device(facts: &BlockFacts, machine: Machine<'_>, usage: Usage) -> Device {
    let (removable, system) = machine.standing(facts);
    let [vendor, model, serial] = facts.drive.clone();
    let parent = facts.id.partition.map(|_| facts.id.whole_disk());
    Device {
        node: facts.node().to_string_lossy().into_owned(),
        devnum: facts.devnum.raw(),
        vendor,
        model,
        serial,
        bus: classify(facts).bus,
        size: facts.size,
        removable,
        read_only: facts.read_only,
        system,
        boot_medium: usage.boot_medium,
        in_use_by: usage.by,
        filesystem_type: super::shown(&facts.content.fs_type),
        label: super::shown(&facts.content.label),
        uuid: facts.content.uuid.clone(),
        store: None,
        examined: false,
        parent,
    }
}

/// What a scan is compared with: mounts, swap and the live stack.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The mount table.
    pub mounts: Vec<Mount>,
    /// Nodes used as swap.
    pub swaps: Vec<String>,
    /// What the live stack says.
    pub running: Running,
}

impl Surroundings {
    /// As the users of devices.
    pub fn users(&self) -> Users<'_> {
        Users {
            mounts: &self.mounts,
            swaps: &self.swaps,
            running: &self.running,
        }
    }
}

/// Takes over the new devices, and keeps what another room knows of those that stayed.
pub fn update(world: &mut BTreeMap<DeviceId, Device>, scene: &Scene) {
    let fresh = scene.devices.iter().map(|(id, sighting)| {
        let mut device = sighting.device.clone();
        if let Some(known) = world.get(id) {
            device.store = known.store;
            device.examined = known.examined;
            if device.filesystem_type.is_empty() && known.filesystem_type == Device::AMBIVALENT {
                device.filesystem_type.clone_from(&known.filesystem_type);
            }
        }
        (*id, device)
    });
    *world = fresh.collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_swap_table_is_read() {
        let table = "Filename\tType\n/dev/sda2  partition 1 0 -2\n/swap\\040file file 1 0 -3\n";
        assert_eq!(swaps(table), ["/dev/sda2", "/swap\\040file"]);
        assert!(swaps("").is_empty());
    }

    #[test]
    fn memory_is_no_medium() {
        let named = |name: &str| BlockFacts {
            disk: name.into(),
            ..BlockFacts::default()
        };
        assert!(is_no_medium(&named("zram0")) && is_no_medium(&named("ram15")));
        assert!(!is_no_medium(&named("sda")) && !is_no_medium(&named("nvme0n1")));
    }

    #[test]
    fn a_device_that_stays_keeps_its_store() {
        let id = DeviceId::disk(7);
        let store = Some(crate::model::StoreKey(1));
        let mut world = BTreeMap::from([(
            id,
            Device {
                store,
                ..Device::default()
            },
        )]);
        let sighting = Sighting {
            facts: BlockFacts::default(),
            device: Device {
                size: 9,
                ..Device::default()
            },
            touched: 0,
        };
        let devices = BTreeMap::from([(id, sighting)]);
        update(
            &mut world,
            &Scene {
                devices,
                ..Scene::default()
            },
        );
        assert_eq!((world[&id].store, world[&id].size), (store, 9));
        update(&mut world, &Scene::default());
        assert!(world.is_empty());
    }
}
