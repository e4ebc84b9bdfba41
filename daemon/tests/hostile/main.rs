//! Media and users who mean harm to the one who saves.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[path = "../common/mod.rs"]
mod common;
mod crowded;
mod nested;
mod poisoned;
mod races;
