//! Whether a device can be carried away, or belongs to the computer, by what it stands on. Pure.

use std::collections::BTreeMap;

use wendy_sys::{DevNum, mountinfo::Mount};

use super::{
    classify::classify,
    facts::BlockFacts,
    usage::{Usage, is_shown},
};

/// Devices on each other beyond which nothing is taken to be removable. Mount points covered by
/// others can make devices seem to stand on themselves.
const MOST_LAYERS: usize = 8;

/// All that a device can stand on.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// Every block device.
    pub devices: &'a [BlockFacts],
    /// The mount table.
    pub mounts: &'a [Mount],
    /// What each device is used for.
    pub usages: &'a BTreeMap<DevNum, Usage>,
}

impl<'a> Machine<'a> {
    /// Removable and system. A device made of others is as they are. A loop device is as removable
    /// as the device that it, or its file, is on: elsewhere its file is somebody's on this computer,
    /// though not a part of that.
    pub fn standing(self, facts: &BlockFacts) -> (bool, bool) {
        self.standing_within(facts, MOST_LAYERS)
    }

    fn standing_within(self, facts: &BlockFacts, layers: usize) -> (bool, bool) {
        let Some(layers) = layers.checked_sub(1) else {
            return (false, false);
        };
        let (removable, system) = match self.parts(facts) {
            Some(parts) => {
                let parts = parts.map(|part| self.standing_within(part, layers));
                parts.fold((true, false), |all, one| (all.0 && one.0, all.1 || one.1))
            }
            None if facts.backing.is_some() => {
                let shown = self.shown_by(facts);
                let is_removable = |shown| self.standing_within(shown, layers).0;
                (shown.is_some_and(is_removable), false)
            }
            None => {
                let class = classify(facts);
                (class.removable, class.system)
            }
        };
        let usage = self.usages.get(&facts.devnum);
        let is_needed = usage.is_some_and(|usage| usage.system);
        (removable && !is_needed, system || is_needed)
    }

    /// What a device is made of, if all of that is known.
    fn parts(self, facts: &BlockFacts) -> Option<impl Iterator<Item = &'a BlockFacts>> {
        let is_part = |part: &&BlockFacts| facts.slaves.contains(&part.name);
        let parts: Vec<_> = self.devices.iter().filter(is_part).collect();
        let is_known = !parts.is_empty() && parts.len() >= facts.slaves.len();
        is_known.then(|| parts.into_iter())
    }

    /// The device that a loop device or a partition of one shows, or that its file is on.
    fn shown_by(self, facts: &BlockFacts) -> Option<&'a BlockFacts> {
        let mut devices = self.devices.iter();
        let whole = devices.clone().find(|one| one.name == facts.disk)?;
        devices.find(|one| is_shown(one, whole, self.mounts))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use wendy_sys::mountinfo;

    use super::*;

    /// A stick and a built-in disk, both mounted, and a loop device.
    const MOUNTS: &[u8] = b"36 35 8:0 / / rw - ext4 /dev/sda rw\n\
        37 36 8:16 / /media/stick rw - ext4 /dev/sdb rw\n\
        38 36 0:5 / /dev rw - devtmpfs udev rw\n\
        39 36 0:30 / /tmp rw - tmpfs tmpfs rw\n";

    fn named(name: &str, minor: u32) -> BlockFacts {
        BlockFacts {
            name: name.into(),
            disk: name.into(),
            devnum: DevNum::from_parts(8, minor),
            ..BlockFacts::default()
        }
    }

    fn devices(backing: &str) -> Vec<BlockFacts> {
        let mut stick = named("sdb", 16);
        stick.topology.subsystems = vec!["usb".into()];
        let mut loop0 = named("loop0", 32);
        loop0.backing = Some(PathBuf::from(backing));
        let mut partition = named("loop0p1", 33);
        partition.disk = "loop0".into();
        partition.backing = loop0.backing.clone();
        vec![named("sda", 0), stick, loop0, partition]
    }

    fn standing(devices: &[BlockFacts], needed: &[u32]) -> Vec<(bool, bool)> {
        let mounts = mountinfo::parse(MOUNTS).unwrap();
        let needed = needed.iter().map(|minor| {
            let usage = Usage {
                system: true,
                ..Usage::default()
            };
            (DevNum::from_parts(8, *minor), usage)
        });
        let machine = Machine {
            devices,
            mounts: &mounts,
            usages: &needed.collect(),
        };
        devices.iter().map(|one| machine.standing(one)).collect()
    }

    #[test]
    fn a_loop_device_is_as_removable_as_where_its_file_is() {
        let (carried, kept) = ((true, false), (false, false));
        let cases = [
            ("/media/stick/a.img", carried),
            ("/dev/sdb", carried),
            ("/srv/a.img", kept),
            ("/dev/sda", kept),
            ("/tmp/a.img", kept),
            ("/media/stick2/a.img", kept),
        ];
        for (backing, expected) in cases {
            let found = standing(&devices(backing), &[]);
            assert_eq!(found[1..], [carried, expected, expected], "{backing}");
        }
    }

    #[test]
    fn a_file_on_a_stick_that_the_system_needs_stays_there() {
        let found = standing(&devices("/media/stick/a.img"), &[16]);
        assert_eq!(found[1..3], [(false, true), (false, false)]);
    }

    #[test]
    fn what_seems_to_stand_on_itself_is_not_removable() {
        assert_eq!(standing(&devices("/dev/loop0"), &[])[2], (false, false));
    }

    #[test]
    fn a_vault_on_a_stick_is_as_removable_as_the_stick() {
        let mut devices = devices("/srv/a.img");
        let mut vault = named("dm-0", 48);
        vault.slaves = vec!["sdb".into()];
        devices.push(vault);
        assert_eq!(standing(&devices, &[])[4], (true, false));
        devices[4].slaves.push("loop0".into());
        assert_eq!(standing(&devices, &[])[4], (false, false));
        devices[4].slaves.push("sdc".into());
        assert_eq!(standing(&devices, &[])[4], (false, true));
    }
}
