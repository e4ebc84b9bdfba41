//! Ubuntu's casper.

use std::{fs, path::Path};

use rustix::mount::MountFlags;
use wendy_store::Stack;
use wendyd::{
    model::State,
    stacks::{self, Persistence, Upper},
};

use super::{
    Image, assert_image, assert_state, check_without_note, kept, look, make_store, name,
    turn_the_links_of,
};
use crate::{
    common::MIB,
    medium::make_ext4,
    world::{Initramfs, mount_tmpfs},
};

pub fn volatile(medium: &Path) {
    let (initramfs, image) = enter(medium);
    mount_tmpfs("/cow", "8m");
    initramfs.hand_over("/cow", &layers(), "boot=casper quiet");
    mark_as_casper();

    let live = look(Stack::Casper, "filesystem.squashfs", image);
    assert_eq!(live.persistence, Persistence::Volatile);
    assert_eq!(live.usage().unwrap().size, 8 * MIB);
    assert_state(live, State::Volatile, "");
}

pub fn kept_on_a_stick(medium: &Path) {
    let stick = make_ext4(&medium.join("casper stick"), None);
    let (mut initramfs, image) = enter(medium);
    let device = initramfs.mount_file(name(&stick), "/cow", MountFlags::empty());
    make_store("/cow");
    initramfs.hand_over("/cow", &layers(), "boot=casper persistent");
    mark_as_casper();

    let live = look(Stack::Casper, "filesystem.squashfs", image);
    assert_eq!(live.persistence, kept(device));
    assert!(live.asked_to_keep && live.usage().unwrap().size > 40 * MIB);
    assert_state(live, State::Persistent, "");
    // The stick mounted once more, as a save does it.
    initramfs.mount_again(device, "/run/store");
    turn_the_links_of("/run/store");
    let later = look(Stack::Casper, "filesystem.squashfs", image);
    assert_eq!(
        later.persistence,
        kept(device),
        "the system still runs from the old generation"
    );
    check_without_note();
}

pub fn out_of_reach(medium: &Path) {
    let (initramfs, image) = enter(medium);
    mount_tmpfs("/cow", "8m");
    initramfs.hand_over_shared("/cow", &layers(), "boot=casper");
    mark_as_casper();

    let live = stacks::detect().unwrap();
    assert_image(&live, "filesystem.squashfs", image);
    assert!(matches!(live.upper, Upper::Unreachable(_)));
    assert!(live.open_upper().is_err() && live.usage().is_err());
    assert_state(live, State::Failed, "shared with other namespaces");
}

/// Medium and image where casper mounts them; nothing of it but `/cdrom` comes along.
fn enter(medium: &Path) -> (Initramfs, Image) {
    let mut initramfs = Initramfs::enter(medium);
    let disk = initramfs.mount_file("medium", "/cdrom", MountFlags::RDONLY);
    let image = "/cdrom/casper/filesystem.squashfs";
    let shown = initramfs.mount_squashfs(image, "/filesystem.squashfs");
    (initramfs, Image { disk, shown })
}

/// Makes the directories and names them.
fn layers() -> String {
    for directory in ["/cow/upper", "/cow/work"] {
        fs::create_dir_all(directory).unwrap();
    }
    "lowerdir=/filesystem.squashfs,upperdir=/cow/upper,workdir=/cow/work".into()
}

fn mark_as_casper() {
    assert!(!Path::new("/cow").exists() && !Path::new("/filesystem.squashfs").exists());
    fs::write("/run/.casper-boot", "").unwrap();
}
