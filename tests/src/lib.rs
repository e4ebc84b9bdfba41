//! The test bench: what the tests of the whole product share.
//!
//! `vm` boots stock live systems in an emulated machine with sticks to plug and pull. Nothing here
//! knows how wendy works inside; the tests see of it what a person at the machine would see.

pub mod vm;
