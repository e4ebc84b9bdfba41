//! dracut's dmsquash-live, the stack of Fedora and its relatives.
//!
//! With a flat image the root is an overlay with the upper directory `/run/overlayfs` over
//! `/run/rootfsbase`; where changes are kept, `/run/overlayfs` is a link to their directory on the
//! medium. With an image inside an image the root is the device-mapper snapshot `live-rw` of
//! `live-base` (dracut, `dmsquash-live-root.sh`).

use std::path::Path;

use wendy_store::{Stack, UpperKind};
use wendy_sys::DevNum;

use super::{
    BootFacts, Error, Layer, LiveStack, Parts, Snapshot, Upper, carriers,
    facts::{RootOverlay, block_device, devices_at},
    layers, snapshot,
    upper::UpperDir,
};

/// Where dracut mounts the medium, and the disk of an image file it boots from.
const MEDIUM: [&str; 2] = ["/run/initramfs/live", "/run/initramfs/isoscan"];

/// Name of the device that is the root directory in snapshot mode, and of the image below it.
const ROOT_DEVICE: &str = "live-rw";
const BASE_DEVICE: &str = "live-base";

/// dracut's dmsquash-live.
#[derive(Debug)]
pub struct Dracut;

impl LiveStack for Dracut {
    fn stack(&self) -> Stack {
        Stack::Dracut
    }

    fn booted(&self, facts: &BootFacts) -> bool {
        let asked = facts
            .value("root")
            .is_some_and(|root| root.starts_with("live:"));
        asked || facts.has("rd.live.image") || root_snapshot(facts).is_some()
    }

    fn asked_to_keep(&self, facts: &BootFacts) -> bool {
        // The second spelling is that of dracut 110 and later.
        ["rd.live.overlay", "rd.overlay"].into_iter().any(|name| {
            facts
                .value(name)
                .is_some_and(|value| !value.is_empty() && value != "none")
        })
    }

    fn inspect(&self, facts: &BootFacts) -> Result<Parts, Error> {
        match root_snapshot(facts) {
            Some(root) => snapshot_parts(facts, root),
            None => overlay_parts(facts, &facts.overlay_or_explain()?),
        }
    }
}

fn overlay_parts(facts: &BootFacts, overlay: &RootOverlay) -> Result<Parts, Error> {
    Ok(Parts {
        upper_kind: UpperKind::Overlayfs,
        upper: Upper::or_unreachable(UpperDir::visible(facts, overlay)),
        layers: layers::of_overlay(overlay, &facts.mounts)?,
        medium: devices_at(&facts.mounts, &MEDIUM),
    })
}

fn snapshot_parts(facts: &BootFacts, root: DevNum) -> Result<Parts, Error> {
    let base = snapshot::device_named(BASE_DEVICE)
        .ok_or_else(|| Error::Layout(format!("there is no device {BASE_DEVICE}")))?;
    let images = carriers::parts(base);
    let stores: Vec<_> = carriers::parts(root)
        .into_iter()
        .filter(|part| !images.contains(part))
        .collect();
    let image = images.first().copied().unwrap_or(base);
    Ok(Parts {
        upper_kind: UpperKind::DmSnapshot,
        upper: Upper::Snapshot(Snapshot {
            root,
            store: stores.first().copied(),
        }),
        layers: vec![Layer::of_device(image, Path::new(BASE_DEVICE))?],
        medium: devices_at(&facts.mounts, &MEDIUM),
    })
}

/// The device-mapper snapshot that is the root directory.
fn root_snapshot(facts: &BootFacts) -> Option<DevNum> {
    let root = block_device(facts.root()?)?;
    (snapshot::name_of(root)? == ROOT_DEVICE).then_some(root)
}
