//! Media and users who mean harm to the one who saves.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[path = "../bench/mod.rs"]
mod bench;
mod crowded;
mod nested;
mod poisoned;
mod races;
