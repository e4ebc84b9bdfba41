//! Media that are taken for another: exchanged during the look, or covered by another mount.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, mkfifoat},
    mount::{MountFlags, UnmountFlags, mount, unmount},
};
use tempfile::TempDir;
use wendy_store::{Name, StoreId, StoreRecord};

use super::*;
use crate::{
    devices::{Monitor, Running},
    probe::{Report, Text},
    testing::{Stick, ensure_udev, format},
};

/// A probe that waits until it is told to go on, and then reports a store.
struct SlowProbe {
    directory: TempDir,
}

impl SlowProbe {
    fn new() -> SlowProbe {
        let directory = TempDir::new().unwrap();
        let record = StoreRecord::new(StoreId::random(), Name::new("Another").unwrap(), 1);
        let report = Report {
            marker: Some(Text::new(record.render().unwrap())),
            ..Report::default()
        };
        let path = directory.path();
        fs::write(path.join("report"), serde_json::to_vec(&report).unwrap()).unwrap();
        mkfifoat(CWD, path.join("go"), Mode::RUSR | Mode::WUSR).unwrap();
        let here = path.display();
        let script = format!("#!/bin/sh\nread line < {here}/go\ncat {here}/report\n");
        fs::write(path.join("probe"), script).unwrap();
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(path.join("probe"), mode).unwrap();
        SlowProbe { directory }
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("probe")
    }

    /// Waits for the probe to be at work.
    fn go(&self) -> impl FnOnce() {
        // Opens when somebody reads.
        let path = self.directory.path().join("go");
        let file = File::options().write(true).open(path).unwrap();
        move || std::io::Write::write_all(&mut &file, b"go\n").unwrap()
    }
}

/// One look, during which `meanwhile` happens: the looker, and the device looked at.
fn look_at(stick: &Stick, meanwhile: impl FnOnce()) -> (Looker, DeviceId) {
    let (hub, probe) = (Hub::new(), SlowProbe::new());
    let (devices, monitor) = Monitor::start(hub.clone(), Running::default()).unwrap();
    let (id, sighting, scene) = settled(&devices, stick.image());
    // From here on nobody tells of the exchange: the look itself has to notice.
    drop(monitor);
    let looker = Looker {
        hub,
        devices,
        prober: Prober::new(probe.program()),
        adoption: Adoption::Off,
        looks: Arc::default(),
        rest: Arc::default(),
    };
    thread::scope(|scope| {
        scope.spawn(|| looker.look_once(id, &sighting, &scene));
        let go = probe.go();
        meanwhile();
        go();
    });
    (looker, id)
}

fn settled(devices: &Devices, image: &Path) -> (DeviceId, Sighting, Arc<Scene>) {
    let mut scene = devices.scene();
    loop {
        let is_it = |sighting: &Sighting| {
            let facts = &sighting.facts;
            facts.backing.as_deref() == Some(image) && facts.content.fs_type == "ext4"
        };
        if let Some((id, sighting)) = scene.devices.iter().find(|(_, it)| is_it(it)) {
            return (*id, sighting.clone(), scene.clone());
        }
        scene = devices.after(scene.sequence).unwrap();
    }
}

#[test]
fn what_was_read_of_another_medium_is_not_shown() {
    ensure_udev();
    let stick = Stick::read_only(|image| format(image, "FIRST"));
    let other = Stick::read_only(|image| format(image, "SECOND"));
    let (looker, id) = look_at(&stick, || stick.exchange(&other));
    let world = looker.hub.snapshot();
    assert!(world.stores.is_empty(), "{:?}", world.stores);
    assert!(looker.lock().put_off.contains_key(&id));
}

#[test]
fn what_was_read_of_the_same_medium_is() {
    ensure_udev();
    let stick = Stick::read_only(|image| format(image, "FIRST"));
    let (looker, id) = look_at(&stick, || {});
    let world = looker.hub.snapshot();
    let found = world.stores.values().next().unwrap();
    assert_eq!((found.name.as_str(), found.device), ("Another", id));
}

#[test]
fn a_mount_that_covers_another_is_not_taken_for_it() {
    ensure_udev();
    let (below, above) = (Stick::with_ext4("BELOW"), Stick::with_ext4("ABOVE"));
    let (devices, _monitor) = Monitor::start(Hub::new(), Running::default()).unwrap();
    let facts = |stick: &Stick| settled(&devices, stick.image()).1.facts;
    let (facts_below, facts_above) = (facts(&below), facts(&above));
    let shown = |facts: &BlockFacts| {
        let mount = look::mount_of(facts).unwrap();
        mount.map(|mount| wendy_sys::mount::label(&mount).unwrap())
    };
    assert_eq!(shown(&facts_below), None);
    let place = TempDir::new().unwrap();
    let covered = Mounted::new(below.node(), place.path());
    assert_eq!(shown(&facts_below).as_deref(), Some("BELOW"));
    let covering = Mounted::new(above.node(), place.path());
    assert_eq!(shown(&facts_below), None);
    assert_eq!(shown(&facts_above).as_deref(), Some("ABOVE"));
    drop(covering);
    assert_eq!(shown(&facts_below).as_deref(), Some("BELOW"));
    drop(covered);
}

/// A mount, gone when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(node: &Path, place: &Path) -> Mounted {
        mount(node, place, "ext4", MountFlags::RDONLY, None).unwrap();
        Mounted(place.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}
