//! Saving: where to, over what, and what is said about it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::fake::{Course, Fake};
use common::samples::{self, SESSION, STORE};
use common::terminal::Terminal;

fn last_call(fake: &Fake) -> String {
    fake.world().calls.last().cloned().unwrap_or_default()
}

#[test]
fn a_save_says_what_was_saved_and_how_to_boot_it() {
    let fake = Fake::start();
    let ran = fake.run(&["save", "Evening"]);
    assert_eq!(ran.err, "Copying …\nWriting to the medium …\n");
    let shown = ran.worked();
    let first = "Saved \"Evening\" on \"My stick\": 1,203 files and directories, 31 MB (8.2 MB written) in 0 s.\n";
    assert!(shown.starts_with(first), "{shown}");
    let boot = "start the same image with this on its kernel command line:\n    persistence\n";
    assert!(shown.ends_with(boot), "{shown}");
    let call = format!("SaveSession /org/ubuntu/Wendy {STORE} \"Evening\" None None None");
    assert_eq!(last_call(&fake), call);
}

#[test]
fn a_job_that_is_over_at_once_is_not_missed() {
    let fake = Fake::start();
    fake.world().course = Course::Instant;
    assert!(
        fake.run(&["save", "Evening"])
            .worked()
            .contains("Saved \"Evening\"")
    );
}

#[test]
fn options_reach_the_daemon() {
    let fake = Fake::start();
    let args = [
        "save",
        "Evening",
        "--default",
        "--exclude",
        "/tmp/**",
        "--exclude",
        "caches",
    ];
    fake.run(&args).worked();
    assert!(last_call(&fake).ends_with("None Some(true) Some([\"/tmp/**\", \"caches\"])"));
}

#[test]
fn the_session_the_system_runs_from_is_updated_by_its_name() {
    let fake = Fake::start();
    fake.world().system.running_session = SESSION.to_path();
    fake.run(&["save", "Biofuel report"]).worked();
    assert!(last_call(&fake).contains(&format!("\"Biofuel report\" Some(\"{SESSION}\")")));
}

#[test]
fn a_session_saved_since_the_start_is_updated_by_its_name() {
    let fake = Fake::start();
    fake.world()
        .sessions
        .values_mut()
        .for_each(|session| session.saved_from_this_start = true);
    fake.run(&["save", "Biofuel report"]).worked();
    assert!(last_call(&fake).contains(&format!("\"Biofuel report\" Some(\"{SESSION}\")")));
}

#[test]
fn a_session_of_another_start_is_not_overwritten_by_chance() {
    let fake = Fake::start();
    let ran = fake.run(&["save", "Biofuel report"]);
    assert!(
        ran.err
            .contains("wendyctl save --session \"Biofuel report\""),
        "{ran:?}"
    );
    ran.failed(5, "already holds a session \"Biofuel report\"");
    assert!(fake.world().calls.is_empty());
    fake.run(&["save", "--session", "Biofuel report"]).worked();
    assert!(last_call(&fake).contains(&format!("\"Biofuel report\" Some(\"{SESSION}\")")));
}

#[test]
fn a_dry_run_forecasts_and_writes_nothing() {
    let fake = Fake::start();
    let expected = "\
It would save \"Biofuel report\" on \"My stick\": 1,203 files and directories to write, 31 MB.
It needs 33 MB of 6.2 GB that are free: there is room.
It takes about 4 s.
Left out: /swapfile
";
    assert_eq!(
        fake.run(&["save", "Evening", "--dry-run"]).worked(),
        expected
    );
    assert!(last_call(&fake).starts_with("PlanSave "));
    fake.world().save_plan.fits = false;
    fake.world().save_plan.fits_overwriting = Some(true);
    fake.world().save_plan.exclude = vec!["/proc".into(); 9];
    let shown = fake.run(&["save", "Evening", "--dry-run"]).worked();
    assert!(
        shown.contains("that is too little.\nThere is room with --overwrite: the last save"),
        "{shown}"
    );
    assert!(
        shown.ends_with(" and 3 more (--json lists them)\n"),
        "{shown}"
    );
}

#[test]
fn without_a_store_people_are_told_what_to_do() {
    let fake = Fake::start();
    fake.world().stores.clear();
    fake.run(&["save", "Evening"])
        .failed(4, "'wendyctl prepare' first");
}

#[test]
fn a_store_that_cannot_be_written_says_why() {
    let fake = Fake::start();
    let all = |change: &dyn Fn(&mut wendy_dbus::objects::Store)| {
        fake.world().stores.values_mut().for_each(change);
    };
    all(&|store| (store.writable, store.problem) = (false, "newer-format".into()));
    fake.run(&["save", "Evening"])
        .failed(11, "nothing can be saved to \"My stick\" (newer-format)");
}

#[test]
fn of_two_stores_one_has_to_be_chosen() {
    let fake = Fake::start();
    let mut second = samples::store();
    second.name = "Blue".into();
    let path = wendy_dbus::paths::StorePath(7);
    fake.world().stores.insert(path.to_string(), second);
    let ran = fake.run(&["save", "Evening"]);
    assert!(
        ran.err.contains("\"Blue\" on sdb1, \"My stick\" on sdb1"),
        "{ran:?}"
    );
    ran.failed(4, "there are 2 stores to save to");
    fake.run(&["save", "Evening", "--store", "Blue"]).worked();
    assert!(last_call(&fake).contains(&path.to_string()));
}

#[test]
fn cautions_are_put_in_words() {
    let fake = Fake::start();
    fake.world().facts.warnings = Some(vec!["database-open".into(), "still-changing".into()]);
    fake.world().facts.still_changing = Some(1);
    fake.world().facts.default = Some(false);
    let shown = fake.run(&["save", "Evening"]).worked();
    assert!(shown.contains("Note: a database was open"), "{shown}");
    assert!(shown.contains("Note: 1 file kept changing"), "{shown}");
    assert!(!shown.contains("make it the default"), "{shown}");
    fake.world().facts.kernel_parameters = None;
    let shown = fake.run(&["save", "Evening"]).worked();
    assert!(
        shown.contains("make it the default: wendyctl default \"Evening\""),
        "{shown}"
    );
}

#[test]
fn a_terminal_gets_a_bar() {
    let fake = Fake::start();
    let (code, shown) = Terminal::start(&fake.bus, &["save", "Evening"]).end();
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("Copying [") && shown.contains("25%"),
        "{shown}"
    );
    assert!(shown.contains("8.0 MB of 31 MB, 4.0 MB/s"), "{shown}");
    assert!(shown.contains("Saved \"Evening\""), "{shown}");
}
