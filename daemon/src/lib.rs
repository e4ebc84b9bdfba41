//! The rooms of wendyd.
//!
//! `dbus` translates messages, `authority` asks polkit, `limits` counts what a caller holds, and
//! `jobs` runs long work on threads of its own, and `devices` watches what is plugged in. `operations` is what the bus can ask the engine
//! for, `model` the plain data everybody shares. A line that copies files never learns what D-Bus
//! is, a line that speaks D-Bus never opens a file.

pub mod authority;
pub mod devices;
pub mod jobs;
pub mod limits;
pub mod model;
pub mod operations;
#[cfg(test)]
mod testing;
