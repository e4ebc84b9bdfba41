//! Debian's live-boot.

use std::{fs, path::Path};

use rustix::mount::{MountFlags, mount_remount};
use wendy_store::Stack;
use wendy_sys::Errno;
use wendyd::{model::State, stacks::Persistence};

use super::{
    Image, assert_state, check_without_note, kept, look, make_store, name, turn_the_links_of,
};
use crate::{
    common::MIB,
    medium::make_ext4,
    world::{Initramfs, mount_tmpfs},
};

pub fn volatile(medium: &Path) {
    let (initramfs, image) = enter(medium);
    mount_tmpfs("/run/live/overlay", "8m");
    hand_over(&initramfs, "/run/live/overlay", "boot=live quiet");

    let live = look(Stack::LiveBoot, "filesystem.squashfs", image);
    assert_eq!(live.persistence, Persistence::Volatile);
    assert_eq!(live.usage().unwrap().size, 8 * MIB);
    let live = assert_state(live, State::Volatile, "");
    fill_the_upper_layer("/filler");
    assert_state(live, State::Full, "full");
}

pub fn kept_on_a_stick(medium: &Path) {
    let stick = make_ext4(&medium.join("live-boot stick"), None);
    let (mut initramfs, image) = enter(medium);
    let store = "/run/live/persistence/sdb1";
    let device = initramfs.mount_file(name(&stick), store, MountFlags::empty());
    make_store(store);
    hand_over(&initramfs, store, "boot=live persistence");

    let live = look(Stack::LiveBoot, "filesystem.squashfs", image);
    assert_eq!(live.persistence, kept(device));
    assert!(live.usage().unwrap().size > 40 * MIB && live.asked_to_keep);
    assert!(!live.boot_medium.contains(&device));
    let live = assert_state(live, State::Persistent, "");
    turn_the_links_of(store);
    let later = look(Stack::LiveBoot, "filesystem.squashfs", image);
    assert_eq!(
        later.persistence,
        kept(device),
        "the system still runs from the old generation"
    );
    check_without_note();
    mount_remount(store, MountFlags::RDONLY, "").unwrap();
    assert_state(live, State::ReadOnly, "no more writes");
}

pub fn without_its_stick(medium: &Path) {
    let (initramfs, image) = enter(medium);
    mount_tmpfs("/run/live/overlay", "8m");
    hand_over(&initramfs, "/run/live/overlay", "boot=live persistence");

    let live = look(Stack::LiveBoot, "filesystem.squashfs", image);
    assert!(live.asked_to_keep);
    assert_state(live, State::Volatile, "no medium for them was found");
}

/// Medium and image where live-boot mounts them.
fn enter(medium: &Path) -> (Initramfs, Image) {
    let mut initramfs = Initramfs::enter(medium);
    let disk = initramfs.mount_file("medium", "/run/live/medium", MountFlags::RDONLY);
    let image = "/run/live/medium/live/filesystem.squashfs";
    let shown = initramfs.mount_squashfs(image, "/run/live/rootfs/filesystem.squashfs");
    (initramfs, Image { disk, shown })
}

fn hand_over(initramfs: &Initramfs, upper: &str, command_line: &str) {
    for directory in ["rw", "work"] {
        // On a store these are links to directories that exist.
        fs::create_dir_all(Path::new(upper).join(directory)).unwrap();
    }
    let layers = format!(
        "lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir={upper}/rw,workdir={upper}/work,redirect_dir=on"
    );
    initramfs.hand_over("overlay", &layers, command_line);
}

fn fill_the_upper_layer(file: &str) {
    let error = fs::write(file, vec![1; 16 << 20]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::NOSPC.raw_os_error()));
}
