//! The bus contract of wendy, for the daemon and for every client written in Rust.
//!
//! The XML files in `xml/` are the contract; what is here follows them, and a test compares the
//! two. This crate knows names, wire types and errors. It never opens a connection by itself,
//! touches no file and decides nothing.

pub mod error;
pub mod facts;
pub mod objects;
pub mod options;
pub mod paths;
pub mod plans;
pub mod proxies;
pub mod words;

use std::collections::HashMap;

pub use error::{Error, Result};

use serde::de::DeserializeOwned;
use zbus::Type;
use zbus::wire::{LE, serialized::Context, to_bytes};

/// Well-known name of the daemon on the system bus.
pub const BUS_NAME: &str = "org.ubuntu.Wendy";

/// Prefix of the polkit actions, final dot included.
pub const ACTION_PREFIX: &str = "org.ubuntu.wendy.";

/// A dictionary as it travels: D-Bus `a{sv}`.
pub type Dict = HashMap<String, zbus::OwnedVariant>;

/// Every interface of the contract with its introspection XML.
pub const INTERFACES: [(&str, &str); 5] = [
    (
        "org.ubuntu.Wendy",
        include_str!("../xml/org.ubuntu.Wendy.xml"),
    ),
    (
        "org.ubuntu.Wendy.Device",
        include_str!("../xml/org.ubuntu.Wendy.Device.xml"),
    ),
    (
        "org.ubuntu.Wendy.Store",
        include_str!("../xml/org.ubuntu.Wendy.Store.xml"),
    ),
    (
        "org.ubuntu.Wendy.Session",
        include_str!("../xml/org.ubuntu.Wendy.Session.xml"),
    ),
    (
        "org.ubuntu.Wendy.Job",
        include_str!("../xml/org.ubuntu.Wendy.Job.xml"),
    ),
];

/// Reads a dictionary into the struct that has its keys as fields.
fn read<T: DeserializeOwned + Type>(dict: &Dict) -> zbus::Result<T> {
    let bytes = to_bytes(Context::new(LE, 0), dict)?;
    let (value, _) = bytes.deserialize()?;
    Ok(value)
}
