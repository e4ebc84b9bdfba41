//! dracut with an overlay; see [`snapshot`](super::snapshot) for its other layout.

use std::{fs, os::unix::fs::symlink, path::Path};

use rustix::mount::MountFlags;
use wendy_store::Stack;
use wendyd::{model::State, stacks::Persistence};

use super::{Image, assert_state, kept, look, make_store, name};
use crate::{common::MIB, medium::make_ext4, world::Initramfs};

pub fn volatile(medium: &Path) {
    let (initramfs, image) = enter(medium);
    for directory in ["/run/overlayfs", "/run/ovlwork"] {
        fs::create_dir(directory).unwrap();
    }
    initramfs.hand_over(
        "LiveOS_rootfs",
        LAYERS,
        "root=live:LABEL=LIVE rd.live.image",
    );

    let live = look(Stack::Dracut, "squashfs.img", image);
    assert_eq!(live.persistence, Persistence::Volatile);
    assert_eq!(live.usage().unwrap().size, 32 * MIB);
    assert_state(live, State::Volatile, "");
}

pub fn kept_on_a_stick(medium: &Path) {
    let stick = make_ext4(&medium.join("dracut stick"), None);
    let (mut initramfs, image) = enter(medium);
    let store = "/run/initramfs/overlayfs";
    let device = initramfs.mount_file(name(&stick), store, MountFlags::empty());
    make_store(store);
    symlink(format!("{store}/rw"), "/run/overlayfs").unwrap();
    symlink(format!("{store}/work"), "/run/ovlwork").unwrap();
    let command_line = "root=live:LABEL=LIVE rd.live.overlay=LABEL=writable:/rw";
    initramfs.hand_over("LiveOS_rootfs", LAYERS, command_line);

    let live = look(Stack::Dracut, "squashfs.img", image);
    assert_eq!(live.persistence, kept(device));
    assert!(live.asked_to_keep);
    assert_state(live, State::Persistent, "");
}

const LAYERS: &str = "lowerdir=/run/rootfsbase,upperdir=/run/overlayfs,workdir=/run/ovlwork";

/// Medium and image where dracut mounts them.
fn enter(medium: &Path) -> (Initramfs, Image) {
    let mut initramfs = Initramfs::enter(medium);
    let disk = initramfs.mount_file("medium", "/run/initramfs/live", MountFlags::RDONLY);
    let image = "/run/initramfs/live/LiveOS/squashfs.img";
    let shown = initramfs.mount_squashfs(image, "/run/rootfsbase");
    (initramfs, Image { disk, shown })
}
