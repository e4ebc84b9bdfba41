//! Sizes, numbers and names as people read and type them, JSON as programs do.
//!
//! All programs of this project speak alike. Whatever is printed on a terminal passes through
//! [`safe`] or [`json`]: names come from media and drives that nobody vouches for.

mod escape;
pub mod json;
mod number;
mod size;

pub use escape::{quoted, safe};
pub use number::{count, things};
pub use size::{parse_size, size, two_sizes};
