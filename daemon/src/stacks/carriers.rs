//! The devices under a device: its disk, the device that holds a loop's file, the parts of a
//! device-mapper device.

use std::{collections::BTreeSet, fs};

use wendy_sys::{DevNum, block::whole_disk_of, loopdev};

/// All devices whose loss would take one of `devices` along, these included. What cannot be found
/// out is left out.
pub fn of(devices: impl IntoIterator<Item = DevNum>) -> BTreeSet<DevNum> {
    let mut found = BTreeSet::new();
    let mut open: Vec<_> = devices.into_iter().collect();
    while let Some(device) = open.pop() {
        // Major 0 is no block device but a filesystem in memory or on the network.
        if device.major() != 0 && found.insert(device) {
            open.extend(whole_disk_of(device));
            open.extend(loopdev::backing_device(device));
            open.extend(parts(device));
        }
    }
    found
}

/// The devices a device-mapper device is made of.
pub fn parts(device: DevNum) -> Vec<DevNum> {
    let Ok(parts) = fs::read_dir(format!("/sys/dev/block/{device}/slaves")) else {
        return Vec::new();
    };
    let numbers = parts
        .flatten()
        .filter_map(|part| fs::read_to_string(part.path().join("dev")).ok());
    numbers
        .filter_map(|number| number.trim().parse().ok())
        .collect()
}
