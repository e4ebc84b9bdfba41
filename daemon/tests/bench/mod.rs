//! Sticks, live systems and looking at what became of them, for the tests of the engine.
//!
//! Everything is real: loop devices, sfdisk, mkfs, mounts. It needs root, and says so loudly where
//! it has none.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test program uses a part of it"
)]
#![allow(
    clippy::unwrap_used,
    missing_debug_implementations,
    reason = "a test that fails says so"
)]

mod hybrid;
mod live;
mod look;
mod stick;

use std::{
    thread,
    time::{Duration, Instant},
};

use wendy_sys::{Cancel, tool::Tool};
use wendyd::patience::{FOR_DEVICE, patiently};

pub use hybrid::*;
pub use live::*;
pub use look::*;
pub use stick::*;

pub const MIB: u64 = 1 << 20;

/// Whether there is root, without which nothing here can be done; a failure where
/// `WENDY_TESTS_MUST_RUN` is set.
pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    let must = std::env::var_os("WENDY_TESTS_MUST_RUN").is_some();
    assert!(root || !must, "cannot run without root");
    if !root {
        eprintln!("skipped: loop devices and mounts need root");
    }
    root
}

/// Waits until something is so, half a minute at most.
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::yield_now();
    }
}

pub fn run(tool: &str, args: &[&str]) -> Vec<u8> {
    let output = patiently(FOR_DEVICE, || {
        Tool::new(tool).args(args).run(&Cancel::new())
    });
    output.unwrap().stdout
}

pub fn script(tool: &str, args: &[&str], stdin: &str) {
    Tool::new(tool)
        .args(args)
        .stdin_bytes(stdin)
        .run(&Cancel::new())
        .unwrap();
}
