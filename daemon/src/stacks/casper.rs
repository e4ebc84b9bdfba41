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
    namespace::{self, Hidden},
};

use super::{
    BootFacts, Error, Layer, LiveStack, Parts, Upper,
    facts::{RootOverlay, devices_at, mounted_at},
    layers, note,
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
        let mut medium = devices_at(&facts.mounts, &MEDIUM);
        let cow = overlay.upper.parent().unwrap_or(Path::new("/"));
        let (upper, layers) = match namespace::open_hidden(&[cow], &Cancel::new()) {
            Ok(hidden) => {
                medium.extend(devices_at(&hidden.mounts, &MEDIUM));
                let layers = layers::of_overlay(&overlay, &hidden.mounts)?;
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
    let mount = mounted_at(&hidden.mounts, cow).cloned();
    let tree = hidden.trees.into_iter().next().flatten();
    let (Some(mount), Some(tree)) = (mount, tree) else {
        return Err(Error::Layout(format!(
            "nothing is mounted on the hidden {}",
            cow.display()
        )));
    };
    let link = || {
        overlay
            .upper
            .strip_prefix(cow)
            .expect("the parent of the upper directory")
    };
    let within = match note::read(overlay.devnum) {
        Some(noted) => noted,
        None => dir::real_path(&tree, link())?,
    };
    let upper = UpperDir::within(tree, mount, &within)?;
    note::keep(overlay.devnum, &within);
    Ok(upper)
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
