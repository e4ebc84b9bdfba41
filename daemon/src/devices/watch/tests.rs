//! Against the real udev, without the thread.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    net::sockopt::set_socket_recv_buffer_size,
};
use wendy_sys::{
    Cancel,
    mount::{MountFlags, detached},
    socket::lost_messages,
    tool::Tool,
};

use super::*;
use crate::{
    devices::{Content, Sighting},
    testing::{Stick, ensure_udev, format},
};

const PATIENCE: Duration = Duration::from_secs(60);
const TOLD: Woken = Woken {
    stop: false,
    devices: true,
    tables: false,
};

fn watch() -> Watch {
    ensure_udev();
    Watch::open(Hub::new(), Running::default(), Devices::default()).unwrap()
}

impl Watch {
    /// Looks whenever udev tells something, until `wanted` finds something.
    fn eventually<T>(&mut self, wanted: impl Fn(&Watch) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = wanted(self) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).unwrap();
            let mut fds = [PollFd::new(&self.events, PollFlags::IN)];
            let ready = poll(&mut fds, Some(&timeout)).unwrap();
            assert!(ready > 0, "not seen in time: {:#?}", self.facts);
            self.look_again(TOLD).unwrap();
        }
    }

    fn sighting(&self, stick: &Stick) -> Option<Sighting> {
        let scene = self.devices.scene();
        let is_it = |sighting: &&Sighting| sighting.facts.backing.as_deref() == Some(stick.image());
        scene.devices.values().find(is_it).cloned()
    }

    fn labelled(&self, stick: &Stick, label: &str) -> Option<Sighting> {
        let sighting = self.sighting(stick);
        sighting.filter(|sighting| sighting.device.label == label)
    }
}

fn make_events(stick: &Stick) {
    let name = stick.node().file_name().unwrap();
    let uevent = Path::new("/sys/class/block").join(name).join("uevent");
    fs::write(uevent, "change").unwrap();
}

#[test]
fn events_that_were_lost_count_for_every_device() {
    let mut watch = watch();
    let (quiet, busy) = (Stick::with_ext4("QUIET"), Stick::with_ext4("BUSY"));
    watch.eventually(|watch| watch.labelled(&busy, "BUSY"));
    let before = watch.eventually(|watch| watch.labelled(&quiet, "QUIET"));
    // The kernel gives a little more than nothing, which is room for one or two events.
    set_socket_recv_buffer_size(&watch.events, 0).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while lost_messages(&watch.events).unwrap() == 0 {
        assert!(Instant::now() < deadline, "nothing was lost");
        make_events(&busy);
    }
    watch.look_again(TOLD).unwrap();
    let after = watch.sighting(&quiet).unwrap();
    assert!(after.touched > before.touched, "{before:?} {after:?}");
    let later = Stick::with_ext4("LATER");
    watch.eventually(|watch| watch.labelled(&later, "LATER"));
}

#[test]
fn a_medium_is_not_shown_with_what_was_on_the_one_before() {
    let mut watch = watch();
    let first = Stick::read_only(|image| format(image, "FIRST"));
    let second = Stick::read_only(|image| format(image, "SECOND"));
    let before = watch.eventually(|watch| watch.labelled(&first, "FIRST"));
    // udev waits for the lock: it still knows what was there before.
    let lock = File::open(first.node()).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    first.exchange(&second);
    let mut all = watch.facts.clone();
    scan::refresh(&mut all, &[before.facts.devnum].into());
    let facts = all.iter().find(|facts| facts.name == before.facts.name);
    let facts = facts.unwrap();
    assert_ne!(facts.id, before.facts.id);
    assert_eq!(
        (facts.initialized, &facts.content),
        (false, &Content::default())
    );
    make_events(&second);
    watch.eventually(|watch| watch.labelled(&second, "SECOND"));
    let is_shown = |watch: &Watch| watch.devices.scene().devices.contains_key(&facts.id);
    assert!(!is_shown(&watch));
    drop(lock);
    make_events(&first);
    watch.eventually(|watch| is_shown(watch).then_some(()));
    assert_eq!(
        watch.devices.scene().devices[&facts.id].device.label,
        "SECOND"
    );
}

#[test]
fn only_the_membership_of_a_btrfs_is_read_without_an_event() {
    let mut watch = watch();
    let stick = Stick::with_ext4("x");
    watch.eventually(|watch| watch.labelled(&stick, "x"));
    let facts = &mut watch.facts;
    let own = facts
        .iter_mut()
        .find(|facts| facts.backing.as_deref() == Some(stick.image()))
        .unwrap();
    own.content.fs_type = "btrfs".to_owned();
    own.in_mounted_btrfs = true;
    let woken = Woken {
        stop: false,
        devices: false,
        tables: true,
    };
    watch.look_again(woken).unwrap();
    // Had all been read anew, it would be an ext4 again.
    let now = watch.sighting(&stick).unwrap();
    assert_eq!(
        (
            now.facts.content.fs_type.as_str(),
            now.facts.in_mounted_btrfs
        ),
        ("btrfs", false)
    );
}

#[test]
fn a_btrfs_is_looked_at_until_it_lets_go() {
    let mut watch = watch();
    let stick = Stick::made(|image| {
        let mkfs = Tool::new("mkfs.btrfs").args(["-q", "--mixed", "-L", "x"]);
        mkfs.arg(image).run(&Cancel::new()).unwrap();
    });
    watch.eventually(|watch| watch.labelled(&stick, "x"));
    let mounted = detached("btrfs", Some(stick.node()), &[], MountFlags::UNTRUSTED).unwrap();
    let woken = |tables| Woken {
        stop: false,
        devices: false,
        tables,
    };
    watch.look_again(woken(true)).unwrap();
    watch.look_again(woken(false)).unwrap();
    assert_eq!(watch.lingering, Some(1));
    drop(mounted);
    let deadline = Instant::now() + PATIENCE;
    while !watch.sighting(&stick).unwrap().device.in_use_by.is_empty() {
        assert!(Instant::now() < deadline, "it is still in use");
        watch.look_again(woken(false)).unwrap();
    }
}
