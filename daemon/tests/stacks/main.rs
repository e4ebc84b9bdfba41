//! Every live stack is recognised and looked at rightly.
//!
//! The test starts itself once per scene, in a mount namespace of its own; there it mounts what
//! the stack's initramfs mounts, from a real squashfs on a loop device, moves the overlay over `/`
//! and looks at the result with the daemon's own eyes.

#![allow(clippy::unwrap_used, reason = "a test with a main of its own")]

mod medium;
mod scenes;
mod world;

use std::{
    env,
    process::{Command, ExitCode},
};

use medium::Medium;
use wendy_sys::{mountinfo, namespace};

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
    let before = mountinfo::read().unwrap().len();
    for name in scenes::names() {
        let child = Command::new("/proc/self/exe")
            .args(["scene", name])
            .arg(medium.path())
            .status();
        assert!(child.unwrap().success(), "scene {name}");
        println!("stacks: {name} is looked at rightly");
    }
    assert_eq!(
        mountinfo::read().unwrap().len(),
        before,
        "a scene leaves nothing behind"
    );
}
