//! `wendy-home`: the command.

fn main() {}
