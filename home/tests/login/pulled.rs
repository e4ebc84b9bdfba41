//! A stick that is pulled and comes back, as udevd would tell it.

use crate::common::{command, wait_until};
use crate::computer::{ANN, Computer, UID, run};
use crate::stick::Stick;
use crate::{LIMIT, vacant};
use nix::sched::{CloneFlags, unshare};
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sendto, socket_with};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::thread::sleep;
use std::time::Duration;

/// Its group of listeners, and hash of the subsystem `block` (systemd, sd-device-monitor).
const UDEVD: u32 = 2;
const BLOCK: u32 = 0xf003_1db7;
const E2FSCK: &str = "/usr/sbin/e2fsck";

/// udevd of a network namespace of the thread.
struct Udevd {
    socket: OwnedFd,
}

impl Udevd {
    fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        let flags = SocketFlags::CLOEXEC;
        Self {
            socket: socket_with(family, kind, flags, Some(KOBJECT_UEVENT)).unwrap(),
        }
    }

    /// Something has happened to the stick.
    fn tells(&self, action: &str, stick: &Stick) {
        let node = stick.node.to_str().unwrap();
        let name = node.strip_prefix("/dev/").unwrap();
        let device = fs::metadata(node).unwrap().rdev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let properties = format!(
            "ACTION={action}\0DEVPATH=/devices/virtual/block/{name}\0SUBSYSTEM=block\0SEQNUM=7\0\
             DEVNAME={node}\0MAJOR={major}\0MINOR={minor}\0ID_FS_TYPE=ext4\0ID_FS_UUID=STICK\0"
        );
        let mut message = b"libudev\0".to_vec();
        let (header, length) = (40_u32, u32::try_from(properties.len()).unwrap());
        message.extend(0xfeed_cafe_u32.to_be_bytes());
        message.extend([header, header, length].map(u32::to_ne_bytes).concat());
        message.extend([BLOCK, 0, 0, 0].map(u32::to_be_bytes).concat());
        message.extend(properties.as_bytes());
        let listeners = SocketAddrNetlink::new(0, UDEVD);
        sendto(&self.socket, &message, SendFlags::empty(), &listeners).unwrap();
    }
}

/// What is noted of the stick while it is away.
fn noted() -> Option<String> {
    fs::read_to_string(format!("/run/wendy-home/{UID}/pulled")).ok()
}

fn wait_until_noted(what: &str) {
    let is_noted = || noted().is_some_and(|noted| noted.contains(what));
    wait_until(&format!("{what:?} is noted"), LIMIT, is_noted);
}

#[test]
fn a_stick_that_is_refused_is_left_alone_until_it_is_plugged_in_again() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let (udevd, stick) = (Udevd::new(), Stick::new(&computer, "STICK", vacant));
    let session = computer.log_in(ANN);
    let letter = computer.home().join("letter");
    fs::write(&letter, "dear").unwrap();
    run(command("sync").args([letter.clone(), computer.home()]));
    let checks = computer.file("checks");
    let check = format!("#!/bin/sh\necho check >> {}\nexit 8\n", checks.display());
    computer.play(E2FSCK, &check);
    for nth in 1..=2 {
        udevd.tells("remove", &stick);
        wait_until_noted("");
        udevd.tells("add", &stick);
        wait_until("it is refused", LIMIT, || {
            computer.log().matches("cannot be used").count() == nth
        });
        wait_until_noted("e2fsck");
        for _ in 0..3 {
            udevd.tells("change", &stick);
        }
    }
    run(command("umount").arg(E2FSCK));
    udevd.tells("remove", &stick);
    let copy = computer.file("copy.img");
    fs::copy(&stick.image, &copy).unwrap();
    // A stick that is plugged in again is another device.
    let same = stick.twin(&copy);
    udevd.tells("add", &same);
    wait_until("it is back", LIMIT, || noted().is_none());
    let checks = fs::read_to_string(checks).unwrap();
    assert_eq!(checks, "check\ncheck\n");
    assert_eq!(fs::read(letter).unwrap(), b"dear");
    session.log_out();
}

#[test]
fn the_check_of_a_stick_that_comes_back_at_the_last_moment_is_not_cut_short() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let (udevd, stick) = (Udevd::new(), Stick::new(&computer, "STICK", vacant));
    let session = computer.log_in(ANN);
    let server = computer.server().unwrap();
    let (begun, go) = (computer.file("begun"), computer.file("go"));
    let check = format!(
        "#!/bin/sh\n: > {}\nwhile [ ! -e {} ]; do sleep 0.1; done\n",
        begun.display(),
        go.display()
    );
    computer.play(E2FSCK, &check);
    udevd.tells("remove", &stick);
    wait_until_noted("");
    udevd.tells("add", &stick);
    wait_until("the check begins", LIMIT, || begun.exists());
    session.begin_to_log_out();
    wait_until("the home is gone", LIMIT, || !computer.has_home());
    sleep(Duration::from_secs(1));
    let runs = || fs::read_link(format!("/proc/{server}/exe")).is_ok();
    assert!(runs(), "it does not wait for the check");
    fs::write(go, "").unwrap();
    wait_until("the server ends", LIMIT, || !runs());
    assert!(!computer.mounts().contains("/stick "), "left mounted");
    session.wait_for_end();
}
