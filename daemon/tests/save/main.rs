//! Sessions are saved, updated and managed; what is refused is refused by name.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[path = "../common/mod.rs"]
mod common;
mod managing;
mod overwriting;
mod refused;
mod saving;
mod scene;
mod updating;
