//! Completion scripts and manual pages, as packages ship them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::{PrivateBus, command};

#[test]
fn shells_accept_their_completion_scripts() {
    let bus = PrivateBus::start();
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = bus.run(&["completion", shell]).worked();
        assert!(
            script.contains("wendyctl") && script.contains("prepare"),
            "{shell}"
        );
        let file = directory.path().join(shell);
        fs::write(&file, script).unwrap();
        match command(shell).arg("-n").arg(&file).output() {
            Ok(checked) => assert!(checked.status.success(), "{shell}: {checked:?}"),
            Err(why) if std::env::var_os("WENDY_TESTS_MUST_RUN").is_some() => {
                panic!("{shell}: {why}")
            }
            Err(why) => eprintln!("skipped: {shell} is not here to check its script: {why}"),
        }
    }
}

#[test]
fn there_is_a_manual_page_per_subcommand() {
    let bus = PrivateBus::start();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    bus.run(&["man", path]).worked();
    for page in [
        "wendyctl",
        "wendyctl-prepare",
        "wendyctl-save",
        "wendyctl-session-show",
    ] {
        let text = fs::read_to_string(directory.path().join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    let main = fs::read_to_string(directory.path().join("wendyctl.1")).unwrap();
    assert!(main.contains("Exit status"), "{main}");
    assert!(!directory.path().join("wendyctl-man.1").exists());
}
