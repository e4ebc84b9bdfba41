//! Who uses a device, and whether the running system stands on it.
//!
//! Pure: from facts about all devices, the mount table and the swap table. What holds a partition
//! holds its disk; what a device is made of is held by it; a file or device that a loop device
//! shows is held by that. Whoever cannot be named here is still found by the exclusive open before any write.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use wendy_sys::{DevNum, mountinfo::Mount};

use super::{Running, facts::BlockFacts, text::shown};

/// How a device is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// By what, in plain words; empty means free.
    pub by: Vec<String>,
    /// The running system would not survive its loss.
    pub system: bool,
    /// The running system was started from it.
    pub boot_medium: bool,
}

/// Everything that can use a device.
#[derive(Debug, Clone, Copy)]
pub struct Users<'a> {
    /// The mount table.
    pub mounts: &'a [Mount],
    /// Nodes used as swap.
    pub swaps: &'a [String],
    /// What the live stack says.
    pub running: &'a Running,
}

/// Where an installed system keeps itself.
const SYSTEM_MOUNTS: [&str; 5] = ["/", "/usr", "/boot", "/boot/efi", "/efi"];

/// Where the live stacks mount the medium they started from.
const BOOT_MOUNTS: [&str; 8] = [
    "/cdrom",
    "/isodevice",
    "/run/live/medium",
    "/run/live/findiso",
    "/run/live/fromiso",
    "/lib/live/mount/medium",
    "/run/initramfs/live",
    "/run/initramfs/isoscan",
];

/// The most mounts named for one device.
const MAX_NAMED: usize = 4;

/// The use of every device, by device number.
pub fn usage(devices: &[BlockFacts], users: Users<'_>) -> BTreeMap<DevNum, Usage> {
    let mut usages: BTreeMap<_, _> = devices
        .iter()
        .map(|device| (device.devnum, direct(device, devices, users)))
        .collect();
    inherit_flags(devices, users.mounts, &mut usages);
    let direct = usages.clone();
    for device in devices {
        for relative in devices.iter().filter(|other| is_relative(device, other)) {
            let reasons = direct
                .get(&relative.devnum)
                .map_or(&[][..], |usage| &usage.by);
            let inherited = reasons
                .iter()
                .map(|reason| format!("{} is {reason}", relative.name));
            usages
                .entry(device.devnum)
                .or_default()
                .by
                .extend(inherited);
        }
    }
    usages
}

/// A disk cannot be opened exclusively while one of its partitions is in use, nor the other way
/// round. Partitions of one disk do not stand in each other's way.
fn is_relative(device: &BlockFacts, other: &BlockFacts) -> bool {
    device.devnum != other.devnum
        && device.disk == other.disk
        && (device.name == device.disk || other.name == other.disk)
}

/// The use of a device itself, whatever becomes of its disk and its partitions.
fn direct(device: &BlockFacts, devices: &[BlockFacts], users: Users<'_>) -> Usage {
    let (running, places) = (users.running, places_of(device, users.mounts));
    let is_at = |wanted: &[&str]| places.iter().any(|at| wanted.contains(&at.as_ref()));
    let swap = used_as_swap(device, users.swaps);
    let is_system = is_at(&SYSTEM_MOUNTS) || running.system.contains(&device.devnum);
    let system = is_system || swap.is_some();
    let boot_medium = is_at(&BOOT_MOUNTS) || running.boot_medium.contains(&device.devnum);
    let mut by = mounted(&places);
    by.extend(swap);
    by.extend(part_of(device, devices));
    if by.is_empty() {
        by.extend(part_of_unknown(device));
    }
    by.extend(shown_by(device, devices, users.mounts));
    if by.is_empty() {
        by.extend(unseen(device, system || boot_medium));
    }
    Usage {
        by,
        system,
        boot_medium,
    }
}

fn places_of<'a>(device: &BlockFacts, mounts: &'a [Mount]) -> BTreeSet<Cow<'a, str>> {
    let own = mounts.iter().filter(|mount| is_of(mount, device));
    own.map(|mount| mount.mount_point.to_string_lossy())
        .collect()
}

fn mounted(places: &BTreeSet<Cow<'_, str>>) -> Vec<String> {
    let named = places.iter().take(MAX_NAMED);
    named
        .map(|at| format!("mounted at {}", shown(at)))
        .collect()
}

fn used_as_swap(device: &BlockFacts, swaps: &[String]) -> Option<String> {
    let node = device.node();
    let is_swap = swaps.iter().any(|swap| node.as_os_str() == swap.as_str());
    is_swap.then(|| "used as swap".to_owned())
}

/// The devices that are made of this one.
fn part_of(device: &BlockFacts, devices: &[BlockFacts]) -> Vec<String> {
    let holders = devices
        .iter()
        .filter(|holder| device.holders.contains(&holder.name));
    holders
        .map(|holder| format!("part of {}", title(holder)))
        .collect()
}

/// Holders of which nothing but the names is known.
fn part_of_unknown(device: &BlockFacts) -> Option<String> {
    let is_held = !device.holders.is_empty();
    is_held.then(|| format!("part of {}", device.holders.join(", ")))
}

/// The loop devices that show this one or a file on it.
fn shown_by(device: &BlockFacts, devices: &[BlockFacts], mounts: &[Mount]) -> Vec<String> {
    let reason = |user: &BlockFacts| {
        if is_behind(device, user) {
            Some(format!("attached as {}", user.name))
        } else if holds_file_of(device, user, mounts) {
            Some(format!("holding the file behind {}", user.name))
        } else {
            None
        }
    };
    devices.iter().filter_map(reason).collect()
}

/// Why a device is in use of which no user was found.
fn unseen(device: &BlockFacts, is_needed: bool) -> Option<String> {
    if device.in_mounted_btrfs {
        Some("part of a mounted btrfs".to_owned())
    } else {
        is_needed.then(|| "needed by the running system".to_owned())
    }
}

/// btrfs reports device numbers of its own, so its source is compared as well.
fn is_of(mount: &Mount, device: &BlockFacts) -> bool {
    mount.devnum == device.devnum
        || mount.source == device.node().as_os_str()
        || (!device.alias.is_empty()
            && mount.source.to_str() == Some(&format!("/dev/mapper/{}", device.alias)))
}

fn title(device: &BlockFacts) -> String {
    if device.alias.is_empty() {
        device.name.clone()
    } else {
        format!("{} ({})", device.name, device.alias)
    }
}

/// Whether the loop device `user` shows this device, or a file on it.
pub fn is_shown(device: &BlockFacts, user: &BlockFacts, mounts: &[Mount]) -> bool {
    is_behind(device, user) || holds_file_of(device, user, mounts)
}

/// Whether the loop device `user` shows this very device.
fn is_behind(device: &BlockFacts, user: &BlockFacts) -> bool {
    user.name == user.disk && user.backing.as_ref() == Some(&device.node())
}

/// Whether the file behind the loop device `user` lies on a filesystem on `device`: the deepest
/// mount above it decides.
fn holds_file_of(device: &BlockFacts, user: &BlockFacts, mounts: &[Mount]) -> bool {
    let Some(file) = user.backing.as_ref().filter(|_| user.name == user.disk) else {
        return false;
    };
    let above = mounts
        .iter()
        .filter(|mount| file.starts_with(&mount.mount_point));
    // Of two mounts at one place the later covers the earlier, and max_by_key takes the last.
    above
        .max_by_key(|mount| mount.mount_point.components().count())
        .is_some_and(|mount| is_of(mount, device))
}

/// Whatever carries a device of the running system, carries the running system.
fn inherit_flags(devices: &[BlockFacts], mounts: &[Mount], usages: &mut BTreeMap<DevNum, Usage>) {
    let carriers: Vec<(DevNum, DevNum)> = devices
        .iter()
        .flat_map(|carrier| {
            let carried = devices
                .iter()
                .filter(move |carried| carries(carrier, carried, mounts));
            carried.map(move |carried| (carrier.devnum, carried.devnum))
        })
        .collect();
    // A chain of carriers is no longer than there are devices.
    for _ in devices {
        let before = usages.clone();
        for (carrier, carried) in &carriers {
            let Some(above) = before.get(carried) else {
                continue;
            };
            let usage = usages.entry(*carrier).or_default();
            usage.system |= above.system;
            usage.boot_medium |= above.boot_medium;
        }
        if *usages == before {
            return;
        }
    }
}

fn carries(carrier: &BlockFacts, carried: &BlockFacts, mounts: &[Mount]) -> bool {
    let is_own_partition = carrier.devnum != carried.devnum
        && carried.disk == carrier.name
        && carrier.name == carrier.disk;
    is_own_partition
        || carrier.holders.contains(&carried.name)
        || is_shown(carrier, carried, mounts)
}

#[cfg(test)]
mod tests;
