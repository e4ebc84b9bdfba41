//! One function per live system: lay it out, look at it, compare.

mod casper;
mod dracut;
mod live_boot;
mod not_live;
mod snapshot;

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use wendy_store::{BaseImage, Stack, UpperKind, base::LayerFacts};
use wendy_sys::{DevNum, Errno, dir};
use wendyd::{
    model::{Condition, State},
    stacks::{self, Live, Persistence, Upper},
};

/// Where a store keeps the upper layer of its default session, and the next generation's.
const FIRST: &str = "casper/sessions/aaaa/generations/1/upper";
const SECOND: &str = "casper/sessions/aaaa/generations/2/upper";

type Scene = fn(&Path);

const SCENES: [(&str, Scene); 10] = [
    ("live-boot in memory", live_boot::volatile),
    ("live-boot on a stick", live_boot::kept_on_a_stick),
    (
        "live-boot that found no stick",
        live_boot::without_its_stick,
    ),
    ("casper in memory", casper::volatile),
    ("casper on a stick", casper::kept_on_a_stick),
    ("casper out of reach", casper::out_of_reach),
    ("dracut in memory", dracut::volatile),
    ("dracut on a stick", dracut::kept_on_a_stick),
    ("an installed system", not_live::installed),
    (
        "an installed system with a live command line",
        not_live::pretending,
    ),
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
fn assert_state(live: Live, state: State, reason: &str) -> Live {
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

/// The links lead to another generation, and nothing tells any more which one the system runs from.
fn check_without_note() {
    fs::remove_dir_all("/run/wendy").unwrap();
    let live = stacks::detect().unwrap();
    assert!(matches!(live.upper, Upper::Unreachable(_)), "{live:?}");
    assert!(live.open_upper().is_err());
}

fn kept(device: DevNum) -> Persistence {
    Persistence::Kept {
        device,
        path: PathBuf::from(FIRST),
    }
}

fn name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}
