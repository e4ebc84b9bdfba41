//! The bus side of the daemon: translation only.
//!
//! A method reads its arguments, asks [`context::Context`] whether the caller may, hands the work
//! to `operations` on another thread, and puts the answer into the words of the contract. Nothing in
//! here opens a file, starts a process or waits for a medium. All methods take `&self` and never
//! lock an interface for writing, so one caller at a password prompt holds up nobody else.

mod about;
mod caller;
mod context;
mod device;
mod error;
mod inhibit;
mod job;
mod manager;
mod paths;
mod publish;
mod session;
mod shelf;
mod store;
mod system;
mod values;

pub use context::Context;
pub use inhibit::keep_awake;
pub use publish::{Publisher, serve};
