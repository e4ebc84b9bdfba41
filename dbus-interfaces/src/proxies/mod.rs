//! Client side of the interfaces, one file each.
//!
//! Methods that may lead to a prompt carry the interactive flag: the one who uses these proxies is
//! a person's program. Properties are cached and follow `PropertiesChanged`, those without a signal
//! are asked for each time. Methods answer with the typed [`crate::Error`].

mod device;
mod job;
mod manager;
mod session;
mod store;

pub use device::DeviceProxy;
pub use job::{Finished, FinishedArgs, FinishedStream, JobProxy};
pub use manager::WendyProxy;
pub use session::SessionProxy;
pub use store::StoreProxy;
