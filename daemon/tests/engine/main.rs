//! The engine as the bus sees it: consent, refusals, jobs, and what is shown afterwards.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[path = "../common/mod.rs"]
mod common;
mod consent;
mod scene;
mod sessions;
