//! The daemon on a real bus with a real polkitd.
//!
//! Each test has a bus, a polkitd with its own rules, and a daemon process of its own, so tests run
//! side by side and leave nothing behind. Behind the bus mostly stands [`double`] instead of the
//! engine: what is tested is who gets through to it, and what the bus shows of it. [`whole`] has
//! the daemon as it is installed.
#![allow(
    clippy::disallowed_methods,
    reason = "tests start the programs they need themselves"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agent;
mod arguments;
mod authorization;
mod bad_input;
mod calls;
#[path = "../common/mod.rs"]
mod common;
mod contract;
mod damaged;
mod double;
mod lifecycle;
mod limits;
mod live_stick;
mod living;
mod policy;
mod polkits;
mod prompts;
mod raw;
mod running;
mod surroundings;
mod system;
mod whole;
