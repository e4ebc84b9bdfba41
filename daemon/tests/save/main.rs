//! Sessions are saved, updated and managed; what is refused is refused by name.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[path = "../bench/mod.rs"]
mod bench;
mod managing;
mod overwriting;
mod refused;
mod saving;
mod scene;
