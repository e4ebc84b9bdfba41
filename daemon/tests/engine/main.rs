//! The engine as the bus sees it: consent, refusals, jobs, and what is shown afterwards.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[path = "../bench/mod.rs"]
mod bench;
mod consent;
mod scene;
mod sessions;
