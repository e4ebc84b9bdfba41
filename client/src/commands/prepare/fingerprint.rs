//! The token of `prepare --dry-run`: a fingerprint of device and plan.
//!
//! The daemon's own token is good for one connection to the bus only, so it cannot be passed from
//! one run of wendyctl to the next. What is passed instead stands for everything the plan said. The
//! next run plans again, and goes on, with the daemon's token for its own plan, only if all of it is
//! still the same: this very device since this very start of the system, all that would be lost, all
//! that would be made. A stick plugged in meanwhile, whatever its name, cannot fit.

use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};
use wendy_dbus::objects::Device;
use wendy_dbus::plans::PreparePlan;
use wendy_text::json;

use crate::output::views::{DeviceView, PreparePlanView};
use crate::world::Object;

/// Changes when what is covered changes.
const VERSION: u32 = 2;

/// Bytes of the hash that are used: enough that nobody finds a second plan for it.
const BYTES: usize = 16;

/// All that is covered. Disk sequence numbers begin again at each start of the system, hence
/// its id.
#[derive(Serialize)]
struct Covered<'a> {
    version: u32,
    boot: String,
    device: DeviceView<'a>,
    plan: PreparePlanView<'a>,
}

/// The fingerprint of a plan for a device, as hexadecimal digits.
pub fn of(device: &Object<Device>, plan: &PreparePlan) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let covered = Covered {
        version: VERSION,
        boot,
        device: DeviceView::new(device),
        plan: PreparePlanView::new(plan),
    };
    let hash = Sha256::digest(json::line(&covered));
    hash.iter()
        .take(BYTES)
        .fold(String::new(), |mut digits, byte| {
            write!(digits, "{byte:02x}").expect("a String takes all");
            digits
        })
}

#[cfg(test)]
mod tests {
    use wendy_dbus::paths::{self, DevicePath};
    use wendy_dbus::plans::Piece;

    use super::*;

    fn device(disk_seq: u64, serial: &str) -> Object<Device> {
        let path = DevicePath {
            disk_seq,
            partition: None,
        }
        .to_path();
        let device = Device {
            device_node: "/dev/sda".into(),
            disk_seq,
            vendor: String::new(),
            model: String::new(),
            serial: serial.into(),
            bus: "usb".into(),
            size: 8_000_000_000,
            removable: true,
            read_only: false,
            system: false,
            boot_medium: false,
            in_use: false,
            in_use_by: vec![],
            filesystem_type: String::new(),
            label: String::new(),
            uuid: String::new(),
            store: paths::none(),
            examined: true,
            parent: paths::none(),
        };
        Object::new(path, device)
    }

    fn plan(lost: &[&str]) -> PreparePlan {
        let piece = |label: &&str| Piece {
            kind: "filesystem".into(),
            label: Some((*label).into()),
            ..Piece::default()
        };
        PreparePlan {
            device: DevicePath {
                disk_seq: 1,
                partition: None,
            }
            .to_path(),
            mode: "device".into(),
            name: "My stick".into(),
            filesystem: "ext4".into(),
            size: 7_900_000_000,
            destroys: !lost.is_empty(),
            lost: lost.iter().map(piece).collect(),
            changed: vec![],
            made: vec![],
            warnings: vec![],
        }
    }

    #[test]
    fn the_same_plan_has_the_same_fingerprint() {
        let first = of(&device(1, "A"), &plan(&["HOLIDAY"]));
        assert_eq!(first, of(&device(1, "A"), &plan(&["HOLIDAY"])));
        assert_eq!(first.len(), 32);
    }

    #[test]
    fn another_stick_or_another_content_has_another() {
        let first = of(&device(1, "A"), &plan(&["HOLIDAY"]));
        assert_ne!(
            first,
            of(&device(2, "A"), &plan(&["HOLIDAY"])),
            "plugged in anew"
        );
        assert_ne!(
            first,
            of(&device(1, "B"), &plan(&["HOLIDAY"])),
            "another drive"
        );
        assert_ne!(
            first,
            of(&device(1, "A"), &plan(&["HOLIDAY", "WORK"])),
            "more is lost"
        );
        assert_ne!(first, of(&device(1, "A"), &plan(&[])), "nothing is lost");
    }
}
