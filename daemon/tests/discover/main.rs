//! Stores found on real media, with the real udev and the real probe program.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

mod adoption;
#[path = "../common/mod.rs"]
mod common;
mod content;
mod scene;
mod stores;
