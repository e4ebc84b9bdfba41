//! Killed, cut off from power, out of room, on a failing medium: the last complete save survives.
//!
//! The work is done by this very test program started again, which is killed at every step or at
//! a random instant. A power cut is looked at by stopping it and copying what is on the medium by
//! then, without what the kernel has still in memory.
//!
//! `WENDY_KILLS` is the number of random instants, 400 if nobody says.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[path = "../common/mod.rs"]
mod common;
mod prepares;
mod random;
mod saves;
mod scene;
mod work;
