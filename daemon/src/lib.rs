//! The rooms of wendyd, from the bus down.
//!
//! - `dbus` translates messages, and does nothing else.
//! - `authority` asks polkit; `limits` counts what a caller has in hand; `crowd` gives back the memory
//!   that many calls took.
//! - `operations` is what the bus can ask the engine for.
//! - `jobs` runs long work on threads of its own.
//! - `devices` watches what is plugged in; `probe` looks at what is on it.
//! - `stacks` tells which live system runs and where its changes are.
//! - `engine` prepares media and saves sessions; `stores` finds, reads and writes them.
//! - `error` is what they can fail with.
//! - `run` is the life of the daemon from start to end.
//! - `start` puts the rooms together; `config` reads the choices of the administrator.
//! - `model` is the plain data everybody shares.
//! - `clock` is the time of day; `patience` waits for what is about to become free.
//!
//! A line that copies files never learns what D-Bus is, a line that speaks D-Bus never opens a file.

pub mod authority;
mod clock;
pub mod config;
mod crowd;
pub mod dbus;
pub mod devices;
pub mod engine;
pub mod error;
pub mod jobs;
pub mod limits;
pub mod model;
pub mod operations;
pub mod patience;
pub mod probe;
pub mod run;
pub mod stacks;
pub mod start;
pub mod stores;
#[cfg(test)]
mod testing;
