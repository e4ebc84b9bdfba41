//! dracut's other layout: the root is a device-mapper snapshot of an image.

use std::{
    fs::{self, File},
    path::Path,
};

use rustix::mount::MountFlags;
use wendy_store::{Stack, UpperKind};
use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice},
    tool::Tool,
};
use wendyd::{
    model::State,
    stacks::{self, Live, Persistence, Upper},
};

use super::{assert_state, name};
use crate::{
    common::MIB,
    medium::make_ext4,
    world::{Initramfs, number_of},
};

const BASE: &str = "live-base";
const ROOT: &str = "live-rw";

/// Whether this kernel can do it; says so when it cannot.
pub fn possible() -> bool {
    // dmsetup makes the node also where nothing is behind it.
    let possible = File::open("/dev/mapper/control").is_ok();
    if !possible {
        eprintln!("skipped: dracut's snapshots need device-mapper, which this kernel lacks");
    }
    possible
}

pub fn volatile(medium: &Path) {
    let mut initramfs = Initramfs::enter(medium);
    let devices = boot(&mut initramfs, "/run/overlay", "root=live:LABEL=LIVE");
    let live = look();
    assert_eq!(live.persistence, Persistence::Volatile);
    assert_state(live, State::Volatile, "");
    drop(devices);
}

pub fn kept(medium: &Path) {
    let stick = make_ext4(&medium.join("snapshot stick"), None);
    let mut initramfs = Initramfs::enter(medium);
    let store = "/run/initramfs/overlayfs";
    let device = initramfs.mount_file(name(&stick), store, MountFlags::empty());
    let file = format!("{store}/overlay");
    let devices = boot(
        &mut initramfs,
        &file,
        "root=live:LABEL=LIVE rd.live.overlay=LABEL=x",
    );
    let live = look();
    assert_eq!(
        live.persistence,
        Persistence::Kept {
            device,
            path: "".into()
        }
    );
    assert!(live.asked_to_keep);
    assert_state(live, State::Persistent, "");
    drop(devices);
}

/// The device-mapper devices of a scene, removed when it ends: they belong to the whole machine.
struct Devices;

impl Drop for Devices {
    fn drop(&mut self) {
        for name in [ROOT, BASE] {
            dmsetup(&["remove", "--deferred", "--noudevsync", name]);
        }
    }
}

/// What `dmsquash-live-root.sh` does, with its store of changed blocks in the file `store`.
fn boot(initramfs: &mut Initramfs, store: &str, command_line: &str) -> Devices {
    let image = initramfs.attach_file("rootfs.img");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(store)
        .unwrap();
    file.set_len(4 * MIB).unwrap();
    let store_node = initramfs.attach(&file, false);
    fs::remove_file(store).unwrap();
    let sectors = BlockDevice::open(&image, Access::Read)
        .unwrap()
        .identity()
        .size
        / 512;
    let (image, store) = (number_of(&image), number_of(&store_node));
    create(
        BASE,
        &format!("0 {sectors} linear {image} 0"),
        &["--readonly"],
    );
    let devices = Devices;
    create(
        ROOT,
        &format!("0 {sectors} snapshot {image} {store} PO 8"),
        &[],
    );
    initramfs.hand_over_device(&node_of(ROOT), "ext4", command_line);
    devices
}

fn create(name: &str, table: &str, options: &[&str]) {
    let arguments = [
        "create",
        "--noudevrules",
        "--noudevsync",
        name,
        "--table",
        table,
    ];
    dmsetup(&[&arguments, options].concat());
}

/// The node by the kernel's own name; that in `/dev/mapper` is made by udev, if it runs.
fn node_of(name: &str) -> String {
    let told = dmsetup(&["info", "-c", "--noheadings", "-o", "blkdevname", name]);
    format!("/dev/{}", told.trim())
}

fn dmsetup(arguments: &[&str]) -> String {
    let output = Tool::new("dmsetup")
        .args(arguments)
        .run(&Cancel::new())
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn look() -> Live {
    fs::write("/etc/changed", "by the user").unwrap();
    rustix::fs::sync();
    let live = stacks::detect().unwrap();
    assert_eq!(
        (live.stack, live.upper_kind),
        (Stack::Dracut, UpperKind::DmSnapshot)
    );
    assert!(matches!(live.upper, Upper::Snapshot(_)) && live.open_upper().is_err());
    let [layer] = &live.layers[..] else {
        panic!("{:?}", live.layers)
    };
    assert_eq!(
        (layer.name.as_str(), layer.size()),
        ("rootfs.img", 64 * MIB)
    );
    assert!(live.boot_medium.contains(&layer.device().unwrap()));
    let space = live.usage().unwrap();
    assert!(
        space.size == 4 * MIB && (1..space.size).contains(&space.used()),
        "{space:?}"
    );
    live
}
