//! Programs that have to succeed.

use wendy_sys::{Cancel, tool::Tool};
use wendyd::patience::{FOR_DEVICE, patiently};

/// Runs a program, again while a device is busy; what it printed.
pub fn run(tool: &str, args: &[&str]) -> Vec<u8> {
    let output = patiently(FOR_DEVICE, || {
        Tool::new(tool).args(args).run(&Cancel::new())
    });
    output.unwrap().stdout
}

/// Runs a program that reads what it has to do.
pub fn script(tool: &str, args: &[&str], stdin: &str) {
    Tool::new(tool)
        .args(args)
        .stdin_bytes(stdin)
        .run(&Cancel::new())
        .unwrap();
}
