//! Stock live systems in an emulated machine, and what a person can do on them with wendy.

mod allowed;
mod bench;
mod casper;
mod cut;
mod desk;
mod dracut;
mod ground;
mod keep;
mod login;
mod loopback;
mod media;
mod one_stick;
mod package;
mod partition;
mod person;
mod power;
mod replug;
mod stacks;
mod unplug;
mod wendy;
