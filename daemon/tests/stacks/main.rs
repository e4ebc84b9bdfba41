//! Every live stack is recognised and looked at rightly.
//!
//! The test starts itself once per scene, in a mount namespace of its own; there it mounts what
//! the stack's initramfs mounts, from a real squashfs on a loop device, moves the overlay over `/`
//! and looks at the result with the daemon's own eyes.

#![allow(clippy::unwrap_used, reason = "a test with a main of its own")]

#[path = "../common/mod.rs"]
mod common;
mod medium;
mod scenes;
mod world;

use std::{
    env,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use medium::Medium;
use wendy_sys::namespace;

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    match args.next() {
        Some(word) if word == namespace::HIDDEN_COMMAND => return namespace::hidden_main(args),
        Some(word) if word == "scene" => scenes::play(args.next().unwrap(), args.next().unwrap()),
        _ if !rustix::process::geteuid().is_root() => eprintln!("skipped: only root can mount"),
        _ => play_all(),
    }
    ExitCode::SUCCESS
}

#[allow(clippy::disallowed_methods, reason = "the child is this test itself")]
fn play_all() {
    let medium = Medium::make();
    for name in scenes::names() {
        let mut child = Command::new("/proc/self/exe");
        let status = child
            .args(["scene", name])
            .arg(medium.path())
            .status()
            .unwrap();
        assert!(status.success(), "scene {name}");
        println!("stacks: {name} is looked at rightly");
    }
    // Where udev runs, it may look at a device a moment longer than the scene.
    let deadline = Instant::now() + Duration::from_secs(20);
    while medium.is_attached() {
        assert!(
            Instant::now() < deadline,
            "a scene leaves a loop device behind"
        );
        thread::yield_now();
    }
}
