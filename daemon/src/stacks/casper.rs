//! Ubuntu's casper: neither the upper layer nor most of the lower ones have a path.
//!
//! Its initramfs mounts the changes on `/cow` and each image on `/<name>.squashfs`, stacks them
//! and moves the overlay over `/` without taking the parts along (casper, `setup_overlay`). They
//! are reached through [`namespace::open_hidden`], also where the changes are kept on a medium:
//! the root looks the same then.

use std::{
    fs,
    path::{Path, PathBuf},
};

use wendy_store::{Stack, UpperKind};
use wendy_sys::{
    Cancel, DevNum, dir, loopdev,
    mountinfo::Mount,
    namespace::{self, Hidden},
};

use super::{
    BootFacts, Error, Layer, LiveStack, Parts, Upper,
    facts::{RootOverlay, block_device},
    note,
    upper::UpperDir,
};

/// Where casper leaves its medium; `/isodevice` carries an image file booted from a disk.
const MEDIUM: [&str; 2] = ["/cdrom", "/isodevice"];

/// Ubuntu's casper.
#[derive(Debug)]
pub struct Casper;

impl LiveStack for Casper {
    fn stack(&self) -> Stack {
        Stack::Casper
    }

    fn booted(&self, facts: &BootFacts) -> bool {
        facts.casper_mark
            || facts
                .overlay()
                .is_some_and(|overlay| overlay.upper.starts_with("/cow"))
    }

    fn asked_to_keep(&self, facts: &BootFacts) -> bool {
        facts.has("persistent") && !facts.has("nopersistent")
    }

    fn inspect(&self, facts: &BootFacts) -> Result<Parts, Error> {
        let overlay = facts.overlay_or_explain()?;
        let mut medium = facts.devices_at(&MEDIUM);
        let cow = overlay.upper.parent().unwrap_or(Path::new("/"));
        let (upper, layers) = match namespace::open_hidden(&[cow], &Cancel::new()) {
            Ok(hidden) => {
                medium.extend(devices_at(&hidden, &MEDIUM));
                let layers = hidden_layers(&hidden, &overlay)?;
                (hidden_upper(hidden, &overlay, cow), layers)
            }
            Err(error) => (Err(error.into()), layers_by_file_name(&overlay)?),
        };
        let upper = Upper::or_unreachable(upper);
        Ok(Parts {
            upper_kind: UpperKind::Overlayfs,
            upper,
            layers,
            medium,
        })
    }
}

fn hidden_upper(hidden: Hidden, overlay: &RootOverlay, cow: &Path) -> Result<UpperDir, Error> {
    let mount = mounted_at(&hidden, cow).cloned();
    let tree = hidden.trees.into_iter().next().flatten();
    let (Some(mount), Some(tree)) = (mount, tree) else {
        return Err(Error::Layout(format!(
            "nothing is mounted on the hidden {}",
            cow.display()
        )));
    };
    let within = note::remembered(overlay.devnum, || {
        let link = overlay
            .upper
            .strip_prefix(cow)
            .expect("the parent of the upper directory");
        Ok(dir::real_path(&tree, link)?)
    })?;
    UpperDir::within(tree, mount, &within)
}

fn hidden_layers(hidden: &Hidden, overlay: &RootOverlay) -> Result<Vec<Layer>, Error> {
    let layer = |place: &PathBuf| {
        // Old versions write two slashes at the start.
        let place = Path::new("/").join(place.components().as_path());
        match mounted_at(hidden, &place) {
            Some(mount) => Layer::of_mount(mount),
            None => Ok(Layer::of_directory(&place)),
        }
    };
    overlay.lowers.iter().map(layer).collect()
}

/// The lower layers where the hidden mounts cannot be reached: the kernel still tells the files
/// behind loop devices, and casper mounts each image on a directory of its file's name.
fn layers_by_file_name(overlay: &RootOverlay) -> Result<Vec<Layer>, Error> {
    let loops = attached_files()?;
    let layer = |place: &PathBuf| {
        let file = loops
            .iter()
            .find(|(_, file)| file.file_name() == place.file_name());
        let missing = || Error::Layout(format!("no loop device shows {}", place.display()));
        let (device, file) = file.ok_or_else(missing)?;
        Layer::of_device(*device, file)
    };
    overlay.lowers.iter().map(layer).collect()
}

/// Every loop device with the file behind it.
fn attached_files() -> Result<Vec<(DevNum, PathBuf)>, Error> {
    let disks = fs::read_dir("/sys/block")
        .map_err(|error| Error::Layout(format!("/sys/block cannot be listed: {error}")))?;
    let numbers = disks.flatten().filter_map(|disk| {
        let number = fs::read_to_string(disk.path().join("dev")).ok()?;
        number.trim().parse().ok()
    });
    Ok(numbers
        .filter_map(|device| Some((device, loopdev::backing_file(device).ok()?)))
        .collect())
}

fn mounted_at<'a>(hidden: &'a Hidden, place: &Path) -> Option<&'a Mount> {
    hidden
        .mounts
        .iter()
        .rev()
        .find(|mount| mount.mount_point == place)
}

fn devices_at(hidden: &Hidden, places: &[&str]) -> Vec<DevNum> {
    let mounts = places
        .iter()
        .filter_map(|place| mounted_at(hidden, Path::new(place)));
    mounts.filter_map(block_device).collect()
}
