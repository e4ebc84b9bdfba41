//! One function per live system: lay it out, look at it, compare.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, mount_remount};
use wendy_store::{BaseImage, Stack, UpperKind, base::LayerFacts};
use wendy_sys::{DevNum, Errno, dir};
use wendyd::{
    model::{Condition, State},
    stacks::{self, Live, NotLive, Persistence, Upper},
};

use crate::{
    medium::make_ext4,
    snapshot,
    world::{Initramfs, mount_tmpfs, set_command_line},
};

pub const MIB: u64 = 1 << 20;

/// Where a store keeps the upper layer of its default session, and the next generation's.
const FIRST: &str = "casper/sessions/aaaa/generations/1/upper";
const SECOND: &str = "casper/sessions/aaaa/generations/2/upper";

type Scene = fn(&Path);

const SCENES: [(&str, Scene); 10] = [
    ("live-boot in memory", live_boot_volatile),
    ("live-boot on a stick", live_boot_kept),
    ("live-boot that found no stick", live_boot_without_its_stick),
    ("casper in memory", casper_volatile),
    ("casper on a stick", casper_kept),
    ("casper out of reach", casper_out_of_reach),
    ("dracut in memory", dracut_volatile),
    ("dracut on a stick", dracut_kept),
    ("an installed system", installed),
    ("an installed system with a live command line", pretending),
];

/// These need device-mapper.
const SNAPSHOT_SCENES: [(&str, Scene); 2] = [
    ("dracut's snapshot in memory", snapshot::volatile),
    ("dracut's snapshot on a stick", snapshot::kept),
];

/// Those this kernel can play.
pub fn names() -> Vec<&'static str> {
    let snapshots: &[_] = if snapshot::possible() {
        &SNAPSHOT_SCENES
    } else {
        &[]
    };
    SCENES
        .iter()
        .chain(snapshots)
        .map(|(name, _)| *name)
        .collect()
}

pub fn play(name: OsString, medium: OsString) {
    let mut scenes = SCENES.iter().chain(&SNAPSHOT_SCENES);
    let (_, scene) = scenes.find(|(known, _)| *known == name).unwrap();
    scene(Path::new(&medium));
}

fn live_boot_volatile(medium: &Path) {
    let (initramfs, image) = live_boot(medium);
    mount_tmpfs("/run/live/overlay", "8m");
    hand_over_live_boot(&initramfs, "/run/live/overlay", "boot=live quiet");

    let live = look(Stack::LiveBoot, "filesystem.squashfs", image);
    assert_eq!(live.persistence, Persistence::Volatile);
    assert_eq!(live.usage().unwrap().size, 8 * MIB);
    let live = assert_state(live, State::Volatile, "");
    fill_the_upper_layer("/filler");
    assert_state(live, State::Full, "full");
}

fn live_boot_kept(medium: &Path) {
    let stick = make_ext4(&medium.join("live-boot stick"), None);
    let (mut initramfs, image) = live_boot(medium);
    let store = "/run/live/persistence/sdb1";
    let device = initramfs.mount_file(name(&stick), store, MountFlags::empty());
    make_store(store);
    hand_over_live_boot(&initramfs, store, "boot=live persistence");

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
    mount_remount(store, MountFlags::RDONLY, "").unwrap();
    assert_state(live, State::ReadOnly, "no more writes");
}

fn live_boot_without_its_stick(medium: &Path) {
    let (initramfs, image) = live_boot(medium);
    mount_tmpfs("/run/live/overlay", "8m");
    hand_over_live_boot(&initramfs, "/run/live/overlay", "boot=live persistence");

    let live = look(Stack::LiveBoot, "filesystem.squashfs", image);
    assert!(live.asked_to_keep);
    assert_state(live, State::Volatile, "no medium for them was found");
}

/// Medium and image where live-boot mounts them.
fn live_boot(medium: &Path) -> (Initramfs, Image) {
    let mut initramfs = Initramfs::enter(medium);
    let disk = initramfs.mount_file("medium", "/run/live/medium", MountFlags::RDONLY);
    let image = "/run/live/medium/live/filesystem.squashfs";
    let shown = initramfs.mount_squashfs(image, "/run/live/rootfs/filesystem.squashfs");
    (initramfs, Image { disk, shown })
}

fn hand_over_live_boot(initramfs: &Initramfs, upper: &str, command_line: &str) {
    for directory in ["rw", "work"] {
        // On a store these are links to directories that exist.
        fs::create_dir_all(Path::new(upper).join(directory)).unwrap();
    }
    let layers = format!(
        "lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir={upper}/rw,workdir={upper}/work,redirect_dir=on"
    );
    initramfs.hand_over("overlay", &layers, command_line);
}

fn casper_volatile(medium: &Path) {
    let (initramfs, image) = casper(medium);
    mount_tmpfs("/cow", "8m");
    initramfs.hand_over("/cow", &casper_layers(), "boot=casper quiet");
    mark_as_casper();

    let live = look(Stack::Casper, "filesystem.squashfs", image);
    assert_eq!(live.persistence, Persistence::Volatile);
    assert_eq!(live.usage().unwrap().size, 8 * MIB);
    assert_state(live, State::Volatile, "");
}

fn casper_kept(medium: &Path) {
    let stick = make_ext4(&medium.join("casper stick"), None);
    let (mut initramfs, image) = casper(medium);
    let device = initramfs.mount_file(name(&stick), "/cow", MountFlags::empty());
    make_store("/cow");
    initramfs.hand_over("/cow", &casper_layers(), "boot=casper persistent");
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
}

fn casper_out_of_reach(medium: &Path) {
    let (initramfs, image) = casper(medium);
    mount_tmpfs("/cow", "8m");
    initramfs.hand_over_shared("/cow", &casper_layers(), "boot=casper");
    mark_as_casper();

    let live = stacks::detect().unwrap();
    assert_image(&live, "filesystem.squashfs", image);
    assert!(matches!(live.upper, Upper::Unreachable(_)));
    assert!(live.open_upper().is_err() && live.usage().is_err());
    assert_state(live, State::Failed, "shared with other namespaces");
}

/// Medium and image where casper mounts them; nothing of it but `/cdrom` comes along.
fn casper(medium: &Path) -> (Initramfs, Image) {
    let mut initramfs = Initramfs::enter(medium);
    let disk = initramfs.mount_file("medium", "/cdrom", MountFlags::RDONLY);
    let image = "/cdrom/casper/filesystem.squashfs";
    let shown = initramfs.mount_squashfs(image, "/filesystem.squashfs");
    (initramfs, Image { disk, shown })
}

/// Makes the directories and names them.
fn casper_layers() -> String {
    for directory in ["/cow/upper", "/cow/work"] {
        fs::create_dir_all(directory).unwrap();
    }
    "lowerdir=/filesystem.squashfs,upperdir=/cow/upper,workdir=/cow/work".into()
}

fn mark_as_casper() {
    assert!(!Path::new("/cow").exists() && !Path::new("/filesystem.squashfs").exists());
    fs::write("/run/.casper-boot", "").unwrap();
}

fn dracut_volatile(medium: &Path) {
    let (initramfs, image) = dracut(medium);
    for directory in ["/run/overlayfs", "/run/ovlwork"] {
        fs::create_dir(directory).unwrap();
    }
    initramfs.hand_over(
        "LiveOS_rootfs",
        DRACUT_LAYERS,
        "root=live:LABEL=LIVE rd.live.image",
    );

    let live = look(Stack::Dracut, "squashfs.img", image);
    assert_eq!(live.persistence, Persistence::Volatile);
    assert_eq!(live.usage().unwrap().size, 32 * MIB);
    assert_state(live, State::Volatile, "");
}

fn dracut_kept(medium: &Path) {
    let stick = make_ext4(&medium.join("dracut stick"), None);
    let (mut initramfs, image) = dracut(medium);
    let store = "/run/initramfs/overlayfs";
    let device = initramfs.mount_file(name(&stick), store, MountFlags::empty());
    make_store(store);
    symlink(format!("{store}/rw"), "/run/overlayfs").unwrap();
    symlink(format!("{store}/work"), "/run/ovlwork").unwrap();
    let command_line = "root=live:LABEL=LIVE rd.live.overlay=LABEL=writable:/rw";
    initramfs.hand_over("LiveOS_rootfs", DRACUT_LAYERS, command_line);

    let live = look(Stack::Dracut, "squashfs.img", image);
    assert_eq!(live.persistence, kept(device));
    assert!(live.asked_to_keep);
    assert_state(live, State::Persistent, "");
}

const DRACUT_LAYERS: &str = "lowerdir=/run/rootfsbase,upperdir=/run/overlayfs,workdir=/run/ovlwork";

/// Medium and image where dracut mounts them.
fn dracut(medium: &Path) -> (Initramfs, Image) {
    let mut initramfs = Initramfs::enter(medium);
    let disk = initramfs.mount_file("medium", "/run/initramfs/live", MountFlags::RDONLY);
    let image = "/run/initramfs/live/LiveOS/squashfs.img";
    let shown = initramfs.mount_squashfs(image, "/run/rootfsbase");
    (initramfs, Image { disk, shown })
}

fn installed(medium: &Path) {
    let _initramfs = Initramfs::enter(medium);
    set_command_line("root=/dev/sda2 ro quiet");
    let NotLive { reason } = stacks::detect().unwrap_err();
    assert!(
        reason.contains("an ordinary tmpfs root filesystem"),
        "{reason}"
    );
    let state = stacks::live_state(Err(&NotLive {
        reason: reason.clone(),
    }));
    assert_eq!(
        (state.condition.state, state.condition.message, state.stack),
        (State::NotLive, reason, None)
    );
}

fn pretending(medium: &Path) {
    let _initramfs = Initramfs::enter(medium);
    set_command_line("boot=live");
    let NotLive { reason } = stacks::detect().unwrap_err();
    assert!(
        reason.contains("live-boot") && reason.contains("tmpfs, not an overlay"),
        "{reason}"
    );
}

/// The devices of the boot medium and of the image on it.
#[derive(Clone, Copy)]
struct Image {
    disk: DevNum,
    shown: DevNum,
}

/// Looks at the running system and checks all that must hold for each stack.
fn look(stack: Stack, image_name: &str, image: Image) -> Live {
    let live = stacks::detect().unwrap();
    assert_eq!((live.stack, live.upper_kind), (stack, UpperKind::Overlayfs));
    assert_image(&live, image_name, image);

    fs::write("/etc/changed", "by the user").unwrap();
    let upper = live.open_upper().unwrap();
    assert_eq!(
        dir::read_small(&upper, "etc/changed", 100).unwrap(),
        b"by the user"
    );
    let stock = dir::read_small(&upper, "etc/stock", 100).unwrap_err();
    assert_eq!(
        stock.errno(),
        Some(Errno::NOENT),
        "the image is not part of the upper layer"
    );
    let intruder = dir::write_atomic(&upper, "intruder", b"", 0o600).unwrap_err();
    assert_eq!(
        intruder.errno(),
        Some(Errno::ROFS),
        "looking must not change anything"
    );
    live
}

fn assert_image(live: &Live, image_name: &str, image: Image) {
    let node = wendy_sys::block::node_of(image.shown).unwrap();
    let content = fs::read(node).unwrap();
    let size = content.len() as u64;
    let [layer] = &live.layers[..] else {
        panic!("{:?}", live.layers)
    };
    assert_eq!(
        (layer.name.as_str(), layer.device()),
        (image_name, Some(image.shown))
    );
    assert_eq!(layer.size(), size);
    let expected = LayerFacts {
        name: image_name,
        size,
        head: &content[..4096],
    };
    assert_eq!(live.base, BaseImage::from_layers(&[expected]));
    assert!(live.boot_medium.contains(&image.shown) && live.boot_medium.contains(&image.disk));
}

/// What is told of a live system that was looked at some time ago; gives it back.
pub fn assert_state(live: Live, state: State, reason: &str) -> Live {
    let (stack, base) = (live.stack, live.base.to_string());
    let told = stacks::live_state(Ok(&live));
    let Condition {
        state: told_state,
        reason: why,
        message,
    } = told.condition;
    assert_eq!(
        (told.stack, told_state, told.base_image),
        (Some(stack), state, base)
    );
    assert!(message.contains(reason) && message.is_empty() == reason.is_empty());
    assert_eq!(why.is_some(), !reason.is_empty(), "{message}");
    live
}

/// The links of a store with one session, whose first generation is the default.
fn make_store(place: &str) {
    let place = Path::new(place);
    for upper in [FIRST, SECOND] {
        fs::create_dir_all(place.join(upper)).unwrap();
        fs::create_dir(place.join(upper).with_file_name("work")).unwrap();
    }
    symlink("generations/1", place.join("casper/sessions/aaaa/current")).unwrap();
    for (link, target) in [("rw", "upper"), ("upper", "upper"), ("work", "work")] {
        symlink(
            format!("casper/sessions/aaaa/current/{target}"),
            place.join(link),
        )
        .unwrap();
    }
}

/// What a save does at its end.
fn turn_the_links_of(place: &str) {
    let session = fs::File::open(Path::new(place).join("casper/sessions/aaaa")).unwrap();
    dir::symlink_atomic(&session, "current", "generations/2").unwrap();
}

fn kept(device: DevNum) -> Persistence {
    Persistence::Kept {
        device,
        path: PathBuf::from(FIRST),
    }
}

fn fill_the_upper_layer(file: &str) {
    let error = fs::write(file, vec![1; 16 << 20]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::NOSPC.raw_os_error()));
}

pub fn name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}
