//! What goes wrong has one sentence, an exit status and often something to do about it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::fake::Fake;
use common::{PrivateBus, Ran};

#[test]
fn every_error_of_the_contract_has_its_exit_status() {
    let fake = Fake::start();
    for (name, code) in [
        ("NotAuthorized", 3),
        ("NotAuthorizedCanObtain", 3),
        ("NotAuthorizedDismissed", 3),
        ("InvalidArgument", 2),
        ("NotFound", 4),
        ("DeviceBusy", 8),
        ("DeviceChanged", 5),
        ("Gone", 10),
        ("NeedsToken", 5),
        ("StaleToken", 5),
        ("NoSpace", 7),
        ("NotSupported", 11),
        ("NotLive", 11),
        ("Incompatible", 11),
        ("Corrupt", 12),
        ("WrongPassphrase", 3),
        ("Cancelled", 6),
        ("Busy", 8),
        ("Failed", 1),
    ] {
        fake.world().refusal = Some((name, "sdb1 is not as it should be; do this"));
        fake.run(&["save", "Evening"])
            .failed(code, "wendyctl: sdb1 is not as it should be; do this");
        fake.world().refusal = None;
        fake.world().failure = Some((name, "it broke in the middle"));
        fake.run(&["save", "Evening"])
            .failed(code, "wendyctl: it broke in the middle");
    }
}

#[test]
fn an_error_of_tomorrow_is_a_failure_with_its_words() {
    let fake = Fake::start();
    fake.world().failure = Some(("TooHot", "the stick is too hot"));
    fake.run(&["save", "Evening"])
        .failed(1, "the stick is too hot");
}

#[test]
fn a_failure_is_json_for_programs() {
    let fake = Fake::start();
    fake.world().refusal = Some(("NoSpace", "33 MB are needed"));
    let ran = fake.run(&["save", "Evening", "--json"]);
    let failure: serde_json::Value = serde_json::from_str(ran.err.trim()).unwrap();
    assert_eq!(failure["error"], "no-space");
    assert_eq!(failure["exit_status"], 7);
    assert_eq!(failure["message"], "33 MB are needed");
}

#[test]
fn a_missing_daemon_is_told_from_a_missing_bus() {
    let bus = PrivateBus::start();
    bus.run(&["status"])
        .failed(9, "the daemon of wendy is not installed or not running");
    let mut wendyctl = bus.wendyctl(&["status"]);
    wendyctl.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    Ran::from(wendyctl.output().unwrap()).failed(9, "is the service dbus running?");
}

#[test]
fn a_wrong_command_line_is_2() {
    let bus = PrivateBus::start();
    for args in [
        &["fly"][..],
        &["prepare", "sda"],
        &["prepare", "sda", "--name", "x", "--size", "big"],
    ] {
        assert_eq!(bus.run(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_trouble() {
    let fake = Fake::start();
    let line = "$WENDYCTL sessions | true";
    let (_, shown) = common::terminal::Terminal::shell(&fake.bus, line).end();
    assert!(!shown.contains("panicked"), "{shown}");
}
