//! One look at one device.
//!
//! A look is about one medium: that is compared on the open device before the look and once more
//! after it, so that what was read of another medium that came meanwhile is shown for none.

use std::os::fd::AsFd;

use rustix::{
    fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, StatxFlags, flock, openat, statx},
    io::Result as Reached,
};
use tracing::{debug, info};
use wendy_sys::{
    block::{Access, BlockDevice, Identity},
    mount::{DetachedMount, MountFlags, clone_detached},
    mountinfo::{self, Mount},
};

use super::{
    Adoption, Looker, adopt,
    judge::{Surface, Verdict, judge, judge_marks, judge_unseen},
};
use crate::{
    devices::{BlockFacts, Content, Scene, Sighting},
    model::DeviceId,
    probe::{self, ProbeError, Report, Target},
};

impl Looker {
    pub(super) fn look_once(&self, id: DeviceId, sighting: &Sighting, scene: &Scene) {
        let surface = surface(&sighting.facts, scene);
        if !is_worth_a_look(&surface.content) {
            return self.show(id, &judge_unseen(&surface));
        }
        let Some(device) = open(sighting) else {
            return;
        };
        let lock = flock(device.fd(), FlockOperation::NonBlockingLockShared);
        let verdict = lock
            .ok()
            .and_then(|()| self.judge(&device, sighting, &surface));
        match verdict {
            Some(verdict) => self.show(id, &verdict),
            None => self.look_next_time(id, scene),
        }
    }

    /// Somebody has it to himself, or it was exchanged: whatever happens next, and some time, is the
    /// occasion to look again.
    fn look_next_time(&self, id: DeviceId, scene: &Scene) {
        debug!(device = %id, "not to be looked at now");
        self.lock().put_off.insert(id, scene.sequence);
    }

    /// `None` if there is nothing new to say: a mounted filesystem that cannot be looked at
    /// meanwhile stays as it was shown.
    fn judge(
        &self,
        device: &BlockDevice,
        sighting: &Sighting,
        surface: &Surface,
    ) -> Option<Verdict> {
        let verdict = self.verdict(device, sighting, surface)?;
        let Verdict::Adoptable(description) = verdict else {
            return Some(verdict);
        };
        if !self.may_adopt(sighting) {
            return Some(Verdict::Foreign(description));
        }
        match adopt::adopt(device, &surface.content) {
            Ok(()) => self.verdict(device, sighting, surface),
            Err(error) => {
                info!(device = %sighting.facts.name, %error, "not adopted");
                Some(Verdict::Foreign(description))
            }
        }
    }

    /// What this very medium is.
    fn verdict(
        &self,
        device: &BlockDevice,
        sighting: &Sighting,
        surface: &Surface,
    ) -> Option<Verdict> {
        let report = self.probe(device, sighting);
        if let Err(error) = device.verify(&device.identity()) {
            debug!(%error, "exchanged during the look");
            return None;
        }
        match report {
            Ok(report) if surface.content.fs_type.is_empty() => {
                Some(judge_marks(surface, &report?))
            }
            Ok(report) => Some(judge(surface, &report?)),
            Err(ProbeError::Busy) => None,
            Err(error) => {
                info!(device = %sighting.facts.name, %error, "not looked into");
                Some(judge_unseen(surface))
            }
        }
    }

    fn probe(
        &self,
        device: &BlockDevice,
        sighting: &Sighting,
    ) -> Result<Option<Report>, ProbeError> {
        let fs_type = sighting.facts.content.fs_type.as_str();
        if fs_type.is_empty() {
            return self.prober.look(Target::Marks(device)).map(Some);
        }
        if sighting.device.in_use_by.is_empty() || fs_type.starts_with("ext") {
            return self.prober.look(Target::Device(device, fs_type)).map(Some);
        }
        let Some(mount) = mount_of(&sighting.facts)? else {
            return Ok(None);
        };
        self.prober.look(Target::Mounted(&mount)).map(Some)
    }

    fn may_adopt(&self, sighting: &Sighting) -> bool {
        let device = &sighting.device;
        self.adoption == Adoption::On
            && self.devices.is_watched()
            && !device.system
            && !device.boot_medium
            && device.in_use_by.is_empty()
    }
}

/// Image formats that nothing can be added to hold systems, not sessions; a live system or one with
/// snaps has dozens of them. What has no type at all may have several that contradict each other.
fn is_worth_a_look(content: &Content) -> bool {
    match content.fs_type.as_str() {
        "" => !content.has_table,
        "squashfs" | "erofs" => false,
        fs_type => probe::is_readable(fs_type),
    }
}

fn surface(facts: &BlockFacts, scene: &Scene) -> Surface {
    let others = scene
        .devices
        .values()
        .filter(|other| other.facts.id.diskseq == facts.id.diskseq && other.facts.id != facts.id);
    Surface {
        content: facts.content.clone(),
        siblings: others
            .map(|other| other.facts.content.label.clone())
            .collect(),
        read_only: facts.read_only,
    }
}

/// Opens the device that was sighted, and no other that has its name by now.
fn open(sighting: &Sighting) -> Option<BlockDevice> {
    let facts = &sighting.facts;
    let identity = Identity {
        diskseq: facts.id.diskseq,
        devnum: facts.devnum,
        size: facts.size,
    };
    let device = BlockDevice::open(&facts.node(), Access::Read);
    let device = device.and_then(|device| device.verify(&identity).map(|()| device));
    device
        .inspect_err(|error| debug!(%error, "not looked at"))
        .ok()
}

/// A second mount of the whole filesystem, if it is mounted where we see it.
pub(super) fn mount_of(facts: &BlockFacts) -> Result<Option<DetachedMount>, wendy_sys::Error> {
    let candidates = mountinfo::read()?;
    for mount in candidates.iter().filter(|mount| shows(mount, facts)) {
        let Ok((place, id)) = reach(mount) else {
            continue;
        };
        // The path may lead to a mount that covers it, and the number may be that of a later one:
        // what is held open now can be looked up for certain.
        let is_it = |mount: &Mount| mount.id == id && shows(mount, facts);
        if mountinfo::read()?.iter().any(is_it) {
            return clone_detached(place, "", MountFlags::UNTRUSTED).map(Some);
        }
    }
    Ok(None)
}

/// Whether all of the filesystem on this device is mounted here. btrfs has device numbers of its
/// own, but names its device.
fn shows(mount: &Mount, facts: &BlockFacts) -> bool {
    let by_name = mount.fs_type == "btrfs" && mount.source == facts.node().as_os_str();
    (mount.devnum == facts.devnum || by_name) && mount.root.as_os_str() == "/"
}

/// What the path of a mount leads to, and the number of the mount that this is on.
fn reach(mount: &Mount) -> Reached<(impl AsFd, u64)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let place = openat(CWD, &mount.mount_point, flags, Mode::empty())?;
    let seen = statx(&place, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    Ok((place, seen.stx_mnt_id))
}
