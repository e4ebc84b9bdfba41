//! A running udev. A file of its own, because tests beside the library take it in as well.

use std::sync::Once;

use wendy_sys::{Cancel, tool::Tool};

/// Starts udev on a machine that runs none, such as a container. It stays: other test programs
/// may rely on it by then.
pub fn ensure_udev() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        if !answers() {
            #[allow(
                clippy::disallowed_methods,
                reason = "the runner does not start daemons"
            )]
            let status = std::process::Command::new("/lib/systemd/systemd-udevd")
                .args(["--daemon", "--resolve-names=never"])
                .status();
            assert!(status.unwrap().success(), "systemd-udevd did not start");
            assert!(answers(), "systemd-udevd does not answer");
        }
    });
}

/// Asks it: its control socket outlives it.
fn answers() -> bool {
    let ping = Tool::new("udevadm").args(["control", "--ping"]);
    ping.run(&Cancel::new()).is_ok()
}
