//! The room that the tests of the daemon share: sticks, live systems, and what became of them.
//!
//! - `image` is files that stand for media; `stick` plugs them in, and `served` one that can fail.
//! - `live_stick` has live images written to sticks; `live` is live systems to be saved.
//! - `prepare` makes stores.
//! - `mount` mounts filesystems and checks them; `tree` looks at what is in them.
//! - `tool` runs programs; `waiting` waits for what is about to happen.
//!
//! Everything is real: loop devices, sfdisk, mkfs, mounts, udev. It needs root, and says so loudly
//! where it has none.

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

mod image;
mod live;
mod live_stick;
mod mount;
mod prepare;
pub mod served;
mod stick;
mod tool;
mod tree;
#[path = "../../src/testing/udev.rs"]
mod udev;
mod waiting;

pub use image::*;
pub use live::*;
pub use live_stick::*;
pub use mount::*;
pub use prepare::*;
pub use stick::*;
pub use tool::*;
pub use tree::*;
pub use udev::ensure_udev;
pub use waiting::*;

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
