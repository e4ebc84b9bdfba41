//! Debian's live-boot: everything lies below `/run/live`, so all of it has a path.
//!
//! The root is an overlay with the upper directory `/run/live/overlay/rw`, on a tmpfs, or
//! `/run/live/persistence/<device>/…/rw`; each lower one is the mount point of an image below
//! `/run/live/rootfs` (live-boot, `9990-overlay.sh`).

use wendy_store::{Stack, UpperKind};

use super::{
    BootFacts, Error, LiveStack, Parts, Upper, facts::devices_at, layers, upper::UpperDir,
};

/// Where live-boot mounts what it boots from.
const MEDIUM: [&str; 4] = [
    "/run/live/medium",
    "/run/live/findiso",
    "/run/live/fromiso",
    "/lib/live/mount/medium",
];

/// Debian's live-boot.
#[derive(Debug)]
pub struct LiveBoot;

impl LiveStack for LiveBoot {
    fn stack(&self) -> Stack {
        Stack::LiveBoot
    }

    fn booted(&self, facts: &BootFacts) -> bool {
        facts.value("boot") == Some("live")
            || facts
                .overlay()
                .is_some_and(|overlay| overlay.upper.starts_with("/run/live"))
    }

    fn asked_to_keep(&self, facts: &BootFacts) -> bool {
        facts.has("persistence") && !facts.has("nopersistence")
    }

    fn inspect(&self, facts: &BootFacts) -> Result<Parts, Error> {
        let overlay = facts.overlay_or_explain()?;
        let upper = UpperDir::visible(facts, &overlay);
        Ok(Parts {
            upper_kind: UpperKind::Overlayfs,
            upper: Upper::or_unreachable(upper),
            layers: layers::of_overlay(&overlay, &facts.mounts)?,
            medium: devices_at(&facts.mounts, &MEDIUM),
        })
    }
}
