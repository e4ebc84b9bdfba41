//! Whether a drive is meant to be unplugged, or part of the computer.
//!
//! Decided by the bus it hangs on. What a drive says of itself does not count: internal SATA
//! disks in hot-plug bays claim to be removable, and many USB disks claim not to be.

use super::facts::BlockFacts;

/// What a drive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// How it is attached, in one word.
    pub bus: String,
    /// Meant to be unplugged.
    pub removable: bool,
    /// Part of the installed computer.
    pub system: bool,
}

/// Judges a device by its drive. Devices made of others (device-mapper, RAID) count as part of
/// the computer until their parts say otherwise.
pub fn classify(facts: &BlockFacts) -> Class {
    let topology = &facts.topology;
    let hangs_on = |subsystem: &str| topology.subsystems.iter().any(|name| name == subsystem);
    // What it shows decides, which its drive does not tell.
    if facts.backing.is_some() {
        return Class {
            removable: false,
            system: false,
            bus: "loop".to_owned(),
        };
    }
    for bus in ["usb", "firewire", "memstick"] {
        if hangs_on(bus) {
            return removable(bus);
        }
    }
    if hangs_on("mmc") {
        return if topology.card == "SD" {
            removable("mmc")
        } else {
            built_in("mmc")
        };
    }
    let bus = internal_bus(facts);
    // A disc belongs to its reader less than to whoever puts it in.
    if facts.disk.starts_with("sr") {
        removable(bus)
    } else {
        built_in(bus)
    }
}

fn internal_bus(facts: &BlockFacts) -> &str {
    let known = |bus: &&str| facts.topology.subsystems.iter().any(|name| name == bus);
    match ["nvme", "virtio"].into_iter().find(known) {
        Some(bus) => bus,
        None if !facts.topology.bus.is_empty() => &facts.topology.bus,
        None if known(&"scsi") => "scsi",
        None => "virtual",
    }
}

fn removable(bus: &str) -> Class {
    Class {
        bus: bus.to_owned(),
        removable: true,
        system: false,
    }
}

fn built_in(bus: &str) -> Class {
    Class {
        bus: bus.to_owned(),
        removable: false,
        system: true,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{super::facts::Topology, *};

    fn drive(name: &str, subsystems: &[&str], bus: &str, card: &str) -> BlockFacts {
        let subsystems = subsystems.iter().map(|name| (*name).to_owned()).collect();
        let topology = Topology {
            subsystems,
            bus: bus.into(),
            card: card.into(),
        };
        BlockFacts {
            name: name.into(),
            disk: name.into(),
            topology,
            ..BlockFacts::default()
        }
    }

    #[test]
    fn the_bus_decides() {
        let cases = [
            (
                drive("sda", &["scsi", "scsi", "usb", "usb", "pci"], "usb", ""),
                removable("usb"),
            ),
            (
                drive("sda", &["scsi", "usb", "pci"], "ata", ""),
                removable("usb"),
            ),
            (
                drive("sda", &["scsi", "ata_port", "pci"], "ata", ""),
                built_in("ata"),
            ),
            (drive("sda", &["scsi", "pci"], "", ""), built_in("scsi")),
            (drive("nvme0n1", &["nvme", "pci"], "", ""), built_in("nvme")),
            (drive("vda", &["virtio", "pci"], "", ""), built_in("virtio")),
            (
                drive("mmcblk0", &["mmc", "mmc_host", "pci"], "", "SD"),
                removable("mmc"),
            ),
            (
                drive("mmcblk0", &["mmc", "mmc_host", "platform"], "", "MMC"),
                built_in("mmc"),
            ),
            (drive("sr0", &["scsi", "pci"], "ata", ""), removable("ata")),
            (drive("dm-0", &[], "", ""), built_in("virtual")),
        ];
        for (facts, expected) in cases {
            assert_eq!(classify(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn a_loop_device_is_neither() {
        let mut facts = drive("loop0", &[], "", "");
        facts.backing = Some(PathBuf::from("/tmp/stick.img"));
        let class = classify(&facts);
        assert_eq!(
            (class.bus.as_str(), class.removable, class.system),
            ("loop", false, false)
        );
    }
}
