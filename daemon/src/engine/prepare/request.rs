//! What a caller asks for.

use crate::engine::Token;

pub use wendy_dbus::words::Mode;

/// The options of a prepare.
#[derive(Debug, Clone)]
pub struct PrepareRequest {
    /// How the device is turned into a store.
    pub mode: Mode,
    /// What the store will be called.
    pub name: String,
    /// Bytes for the store; all there is room for without it.
    pub size: Option<u64>,
    /// Type of the filesystem; only `ext4`, which is also what is taken without it.
    pub filesystem: Option<String>,
    /// Consent to lose what the plan lists.
    pub token: Option<Token>,
}
