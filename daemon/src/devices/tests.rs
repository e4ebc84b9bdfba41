//! Against the real udev and real loop devices.

use std::{
    fs::File,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;
use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice, PartitionExtent},
    loopdev::{Loop, LoopOptions},
    tool::Tool,
};

use super::*;
use crate::{
    model::Hub,
    testing::{Stick, ensure_udev},
};

const PATIENCE: Duration = Duration::from_secs(120);

fn watch() -> (Hub, Devices, Monitor) {
    ensure_udev();
    let hub = Hub::new();
    let (devices, monitor) = Monitor::start(hub.clone(), Running::default()).unwrap();
    (hub, devices, monitor)
}

/// Waits for a scene in which `wanted` finds something.
fn eventually<T>(devices: &Devices, wanted: impl Fn(&Scene) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut scene = devices.scene();
    loop {
        if let Some(found) = wanted(&scene) {
            return found;
        }
        assert!(Instant::now() < deadline, "not seen in time: {scene:#?}");
        scene = devices.after(scene.sequence).unwrap();
    }
}

fn of_stick<'a>(scene: &'a Scene, stick: &Stick) -> Option<(DeviceId, &'a Device)> {
    let is_it = |sighting: &Sighting| sighting.facts.backing.as_deref() == Some(stick.image());
    let (id, sighting) = scene.devices.iter().find(|(_, sighting)| is_it(sighting))?;
    Some((*id, &sighting.device))
}

fn id_of(devices: &Devices, stick: &Stick) -> DeviceId {
    eventually(devices, |scene| of_stick(scene, stick).map(|(id, _)| id))
}

#[test]
fn a_stick_comes_with_its_filesystem_and_goes() {
    let (hub, devices, _monitor) = watch();
    let stick = Stick::with_ext4("HOLIDAY");
    let id = id_of(&devices, &stick);
    let device = eventually(&devices, |scene| {
        let device = scene.devices.get(&id)?.device.clone();
        (device.filesystem_type == "ext4").then_some(device)
    });
    assert_eq!(
        (device.label.as_str(), device.size),
        ("HOLIDAY", Stick::SIZE)
    );
    assert_eq!(
        (device.bus.as_str(), device.removable, device.system),
        ("loop", false, false)
    );
    assert_eq!((device.in_use_by.len(), device.parent), (0, None));
    assert_eq!(hub.snapshot().devices.get(&id), Some(&device));
    drop(stick);
    eventually(&devices, |scene| {
        (!scene.devices.contains_key(&id)).then_some(())
    });
    assert!(!hub.snapshot().devices.contains_key(&id));
}

#[test]
fn a_mount_is_noticed_without_any_event_of_udev() {
    let (_hub, devices, _monitor) = watch();
    let stick = Stick::with_ext4("x");
    let id = id_of(&devices, &stick);
    let place = TempDir::new().unwrap();
    mount(stick.node(), place.path(), "ext4", MountFlags::RDONLY, None).unwrap();
    let by = eventually(&devices, |scene| {
        let by = scene.devices.get(&id)?.device.in_use_by.clone();
        (!by.is_empty()).then_some(by)
    });
    assert_eq!(by, [format!("mounted at {}", place.path().display())]);
    unmount(place.path(), UnmountFlags::empty()).unwrap();
    eventually(&devices, |scene| {
        scene.devices[&id].device.in_use_by.is_empty().then_some(())
    });
}

#[test]
fn a_partition_knows_its_disk_and_holds_it() {
    let (_hub, devices, _monitor) = watch();
    let stick = Stick::empty();
    let disk = id_of(&devices, &stick);
    let open = BlockDevice::open(stick.node(), Access::Write).unwrap();
    let extent = PartitionExtent {
        number: 1,
        start: 1 << 20,
        size: 8 << 20,
    };
    open.tell_partitions(&[extent]).unwrap();
    let id = DeviceId::partition(disk.diskseq, 1);
    let device = eventually(&devices, |scene| {
        Some(scene.devices.get(&id)?.device.clone())
    });
    assert_eq!((device.parent, device.size), (Some(disk), 8 << 20));
    assert!(!device.removable && !device.system);
    let node = PathBuf::from(&device.node);
    Tool::new("mkfs.ext4")
        .args(["-q", "-F"])
        .arg(&node)
        .run(&Cancel::default())
        .unwrap();
    let place = TempDir::new().unwrap();
    mount(&node, place.path(), "ext4", MountFlags::RDONLY, None).unwrap();
    let by = eventually(&devices, |scene| {
        let by = scene.devices.get(&disk)?.device.in_use_by.clone();
        (!by.is_empty()).then_some(by)
    });
    let name = node.file_name().unwrap().display();
    assert_eq!(
        by,
        [format!("{name} is mounted at {}", place.path().display())]
    );
    unmount(place.path(), UnmountFlags::empty()).unwrap();
    open.tell_partitions(&[]).unwrap();
    eventually(&devices, |scene| {
        (!scene.devices.contains_key(&id)).then_some(())
    });
}

#[test]
fn a_new_filesystem_is_noticed() {
    let (_hub, devices, _monitor) = watch();
    let stick = Stick::empty();
    let id = id_of(&devices, &stick);
    stick.format("AFTER");
    eventually(&devices, |scene| {
        let device = &scene.devices.get(&id)?.device;
        (device.label == "AFTER" && device.filesystem_type == "ext4").then_some(())
    });
}

#[test]
fn whoever_waits_is_let_go_when_watching_ends() {
    let (_hub, devices, monitor) = watch();
    let waiting = devices.clone();
    let thread = std::thread::spawn(move || waiting.after(u64::MAX - 1));
    drop(monitor);
    assert_eq!(thread.join().unwrap(), None);
}

#[test]
fn a_file_on_a_stick_that_is_a_stick_is_told() {
    let (_hub, devices, _monitor) = watch();
    let outer = Stick::with_ext4("outer");
    let place = TempDir::new().unwrap();
    mount(
        outer.node(),
        place.path(),
        "ext4",
        MountFlags::empty(),
        None,
    )
    .unwrap();
    let path = place.path().join("inner.img");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    file.set_len(1 << 20).unwrap();
    let inner = Loop::attach(file.as_fd(), LoopOptions::default()).unwrap();
    drop(file);
    let name = Path::new(inner.node())
        .file_name()
        .unwrap()
        .display()
        .to_string();
    let wanted = format!("holding the file behind {name}");
    let outer_id = id_of(&devices, &outer);
    eventually(&devices, |scene| {
        scene.devices[&outer_id]
            .device
            .in_use_by
            .contains(&wanted)
            .then_some(())
    });
    drop(inner);
    eventually(&devices, |scene| {
        (!scene.devices[&outer_id].device.in_use_by.contains(&wanted)).then_some(())
    });
    unmount(place.path(), UnmountFlags::empty()).unwrap();
}
