//! Stock live systems in an emulated machine, and what a person can do on them with wendy.

mod bench;
