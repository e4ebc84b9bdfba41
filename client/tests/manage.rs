//! Rename, delete, default, verify.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::fake::Fake;
use common::samples::{self, SESSION, STORE};
use common::terminal::Terminal;
use wendy_dbus::facts::{CheckedSession, Facts};
use wendy_dbus::paths::SessionPath;

fn calls(fake: &Fake) -> Vec<String> {
    fake.world().calls.clone()
}

#[test]
fn a_session_and_a_store_get_other_names() {
    let fake = Fake::start();
    let shown = fake.run(&["rename", "Biofuel report", "Report"]).worked();
    assert_eq!(shown, "The session \"Biofuel report\" is now \"Report\".\n");
    fake.run(&["rename", "My stick", "Blue"]).worked();
    fake.run(&["rename", "sdb1", "Red"]).worked();
    let store = format!("Rename {STORE}");
    let expected = [
        format!("Rename {SESSION} Report"),
        format!("{store} Blue"),
        format!("{store} Red"),
    ];
    assert_eq!(calls(&fake), expected);
}

#[test]
fn a_name_of_two_sessions_needs_a_choice() {
    let fake = Fake::start();
    let twin = SessionPath(9);
    fake.world()
        .sessions
        .insert(twin.to_string(), samples::session());
    let ran = fake.run(&["delete", "Biofuel report", "--yes"]);
    assert!(
        ran.err.contains("id 00000000000000000000000000000009"),
        "{ran:?}"
    );
    ran.failed(4, "2 sessions are called \"Biofuel report\"");
    fake.run(&["delete", "00000000000000000000000000000009", "--yes"])
        .worked();
    assert_eq!(calls(&fake), [format!("Delete {twin}")]);
}

#[test]
fn a_session_is_deleted_once_somebody_agrees() {
    let fake = Fake::start();
    fake.run(&["delete", "Biofuel report"])
        .failed(5, "no terminal to ask on");
    fake.run(&["delete", "Biofuel report", "--json"])
        .failed(5, "cannot ask");
    let mut terminal = Terminal::start(&fake.bus, &["delete", "Biofuel report"]);
    terminal.wait_for("This will be lost: the session \"Biofuel report\" on \"My stick\", 31 MB");
    terminal.wait_for("Type yes to delete it:");
    terminal.type_line("y");
    assert_eq!(terminal.end().0, 5);
    assert!(calls(&fake).is_empty());
    let mut terminal = Terminal::start(&fake.bus, &["delete", "Biofuel report"]);
    terminal.wait_for("Type yes to delete it:");
    terminal.type_line("yes");
    let (code, shown) = terminal.end();
    assert!(
        code == 0 && shown.contains("Deleted the session"),
        "{shown}"
    );
    assert_eq!(calls(&fake), [format!("Delete {SESSION}")]);
}

#[test]
fn a_default_is_set_in_its_store() {
    let fake = Fake::start();
    let shown = fake.run(&["default", "Biofuel report"]).worked();
    assert_eq!(
        shown,
        "From now on, \"Biofuel report\" is booted with: persistence\n"
    );
    assert_eq!(calls(&fake), [format!("SetDefault {STORE} {SESSION}")]);
}

#[test]
fn verify_reads_all_stores_or_one_session() {
    let fake = Fake::start();
    checked(&fake, "complete", 0);
    let shown = fake.run(&["verify"]).worked();
    let expected = "\"My stick\": 1,203 files and directories read, 31 MB\n  \"Biofuel report\" is as it was saved\n";
    assert_eq!(shown, expected);
    fake.run(&["verify", "Biofuel report"]).worked();
    fake.run(&["verify", "--store", "sdb1"]).worked();
    let one = format!("Check {STORE} Some(\"{SESSION}\")");
    let all = format!("Check {STORE} None");
    assert_eq!(calls(&fake), [all.clone(), one, all]);
}

#[test]
fn a_session_that_was_used_since_is_no_damage() {
    let fake = Fake::start();
    checked(&fake, "continued", 0);
    let shown = fake.run(&["verify"]).worked();
    let expected = "\"Biofuel report\" was booted and used since: its files are not compared";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn damage_is_told_and_has_its_exit_status() {
    let fake = Fake::start();
    checked(&fake, "damaged", 2);
    let ran = fake.run(&["verify"]);
    assert!(
        ran.out
            .contains("\"Biofuel report\" is damaged: 2 files differ"),
        "{ran:?}"
    );
    ran.failed(12, "2 files differ from what was saved");
}

fn checked(fake: &Fake, state: &str, damaged: u64) {
    let session = CheckedSession {
        session: SESSION.to_path(),
        state: state.into(),
        damaged,
    };
    fake.world().facts = Facts {
        entries: Some(1_203),
        bytes: Some(31_000_000),
        damaged: Some(damaged),
        sessions: Some(vec![session]),
        ..Facts::default()
    };
}
