use std::path::PathBuf;

use wendy_sys::mountinfo;

use super::*;

fn device(name: &str, disk: &str, minor: u32) -> BlockFacts {
    BlockFacts {
        name: name.into(),
        disk: disk.into(),
        devnum: DevNum::from_parts(8, minor),
        ..BlockFacts::default()
    }
}

fn stick() -> Vec<BlockFacts> {
    vec![
        device("sda", "sda", 0),
        device("sda1", "sda", 1),
        device("sda2", "sda", 2),
    ]
}

fn mounts(lines: &[(&str, &str, &str)]) -> Vec<Mount> {
    let line = |(devnum, place, source): &(&str, &str, &str)| {
        format!("36 35 {devnum} / {place} rw - ext4 {source} rw\n")
    };
    mountinfo::parse(lines.iter().map(line).collect::<String>().as_bytes()).unwrap()
}

fn of(devices: &[BlockFacts], mounts: &[Mount], swaps: &[&str], running: &Running) -> Vec<Usage> {
    let swaps: Vec<_> = swaps.iter().map(|swap| (*swap).to_owned()).collect();
    let users = Users {
        mounts,
        swaps: &swaps,
        running,
    };
    let usages = usage(devices, users);
    devices
        .iter()
        .map(|device| usages[&device.devnum].clone())
        .collect()
}

fn by(usage: &Usage) -> Vec<&str> {
    usage.by.iter().map(String::as_str).collect()
}

#[test]
fn a_free_stick_is_free() {
    let usages = of(
        &stick(),
        &mounts(&[("9:9", "/", "/dev/x")]),
        &[],
        &Running::default(),
    );
    assert_eq!(usages, vec![Usage::default(); 3]);
}

#[test]
fn a_mounted_partition_holds_its_disk_but_not_its_sibling() {
    let usages = of(
        &stick(),
        &mounts(&[("8:1", "/media/a", "x")]),
        &[],
        &Running::default(),
    );
    assert_eq!(by(&usages[0]), ["sda1 is mounted at /media/a"]);
    assert_eq!(by(&usages[1]), ["mounted at /media/a"]);
    assert_eq!(usages[2], Usage::default());
}

#[test]
fn a_mounted_disk_holds_its_partitions() {
    let usages = of(
        &stick(),
        &mounts(&[("8:0", "/cdrom", "x")]),
        &[],
        &Running::default(),
    );
    assert_eq!(by(&usages[1]), ["sda is mounted at /cdrom"]);
    assert!(usages[0].boot_medium && !usages[1].boot_medium);
}

#[test]
fn the_root_makes_its_disk_part_of_the_system() {
    let usages = of(
        &stick(),
        &mounts(&[("8:2", "/", "x")]),
        &[],
        &Running::default(),
    );
    assert!(usages[0].system && usages[2].system && !usages[1].system);
}

#[test]
fn swap_and_names_with_odd_characters_are_told() {
    let table = mounts(&[("8:1", "/media/a\\040\\012b", "x")]);
    let usages = of(&stick(), &table, &["/dev/sda2"], &Running::default());
    assert_eq!(by(&usages[1]), ["mounted at /media/a \\u{a}b"]);
    assert_eq!(by(&usages[2]), ["used as swap"]);
    assert!(usages[2].system);
}

#[test]
fn what_a_device_is_made_of_is_in_use_all_the_way_down() {
    let mut devices = stick();
    devices[1].holders = vec!["dm-0".into()];
    let mut crypt = device("dm-0", "dm-0", 16);
    crypt.alias = "vault".into();
    devices.push(crypt);
    let table = mounts(&[("8:16", "/", "/dev/mapper/vault")]);
    let usages = of(&devices, &table, &[], &Running::default());
    assert_eq!(by(&usages[1]), ["part of dm-0 (vault)"]);
    assert_eq!(by(&usages[0]), ["sda1 is part of dm-0 (vault)"]);
    assert!(usages[0].system && usages[1].system && usages[3].system);
}

#[test]
fn an_unknown_holder_counts_too() {
    let mut devices = stick();
    devices[1].holders = vec!["bcache0".into()];
    assert_eq!(
        by(&of(&devices, &[], &[], &Running::default())[1]),
        ["part of bcache0"]
    );
}

#[test]
fn the_file_behind_a_loop_holds_its_filesystem() {
    let mut devices = stick();
    let mut image = device("loop3", "loop3", 33);
    image.backing = Some(PathBuf::from("/isodevice/ubuntu.iso"));
    devices.push(image);
    let table = mounts(&[
        ("9:9", "/", "x"),
        ("8:1", "/isodevice", "x"),
        ("8:33", "/cdrom", "x"),
    ]);
    let usages = of(&devices, &table, &[], &Running::default());
    assert_eq!(
        by(&usages[1]),
        ["mounted at /isodevice", "holding the file behind loop3"]
    );
    assert!(usages[0].boot_medium && usages[1].boot_medium && usages[3].boot_medium);
}

#[test]
fn a_device_shown_by_a_loop_is_in_use_with_its_disk() {
    let mut devices = stick();
    let mut shown = device("loop3", "loop3", 33);
    shown.backing = Some(PathBuf::from("/dev/sda1"));
    devices.push(shown);
    let table = mounts(&[("8:33", "/", "x")]);
    let usages = of(&devices, &table, &[], &Running::default());
    assert_eq!(by(&usages[1]), ["attached as loop3"]);
    assert_eq!(by(&usages[0]), ["sda1 is attached as loop3"]);
    assert!(usages[0].system && usages[1].system && !usages[2].system);
}

#[test]
fn hidden_layers_are_known_from_the_live_stack() {
    let running = Running {
        boot_medium: vec![],
        system: vec![DevNum::from_parts(8, 1)],
    };
    let usages = of(&stick(), &[], &[], &running);
    assert_eq!(by(&usages[1]), ["needed by the running system"]);
    assert!(usages[0].system && usages[1].system && !usages[2].system);
}

#[test]
fn btrfs_is_found_by_its_source_and_its_members() {
    let mut devices = stick();
    devices[2].in_mounted_btrfs = true;
    let usages = of(
        &devices,
        &mounts(&[("0:44", "/data", "/dev/sda1")]),
        &[],
        &Running::default(),
    );
    assert_eq!(by(&usages[1]), ["mounted at /data"]);
    assert_eq!(by(&usages[2]), ["part of a mounted btrfs"]);
}
