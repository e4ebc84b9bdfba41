//! Media that fill up or fail in the middle: the last complete save survives.
//!
//! Every place is meant: the sweeps take each write of a save in turn, in strides that
//! `WENDY_FAULTS` makes finer.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod full;
mod overwriting;
mod prepares;
mod saves;

/// So many places of `0..all`, evenly spread, the first and the last among them.
pub fn spread(all: usize) -> impl Iterator<Item = usize> {
    let wanted = std::env::var("WENDY_FAULTS").map_or(24, |number| number.parse().unwrap());
    let stride = (all / wanted).max(1);
    (0..all).step_by(stride).chain(all.checked_sub(1))
}
