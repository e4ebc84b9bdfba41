//! `--json` prints what `JSON.md` shows: the same keys with the same types, no more and no fewer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::fake::Fake;
use common::samples::{self, SESSION};
use serde_json::{Deserializer, Value};
use wendy_dbus::facts::CheckedSession;

#[test]
fn the_documented_examples_are_what_is_printed() {
    for (heading, fake, args) in runs() {
        let ran = fake.run(&args);
        assert_eq!(ran.code, 0, "{ran:?}");
        compare(heading, &ran.json());
    }
}

#[test]
fn a_failure_is_as_documented() {
    let ran = Fake::start().run(&["session", "show", "Nothing", "--json"]);
    assert_eq!(ran.code, 4);
    compare("A failure", &[serde_json::from_str(&ran.err).unwrap()]);
}

/// Headings of the document with the command that prints their example.
fn runs() -> Vec<(&'static str, Fake, Vec<&'static str>)> {
    let run = |heading, args: &[&'static str]| (heading, busy(), [args, &["--json"]].concat());
    let token = "prepare DEVICE --name NAME --dry-run";
    vec![
        run("status", &["status"]),
        run("devices", &["devices"]),
        run("sessions", &["sessions"]),
        run("session show SESSION", &["session", "show", "11112222"]),
        run("jobs", &["jobs"]),
        run("jobs --cancel JOB", &["jobs", "--cancel", "7"]),
        run(token, &["prepare", "sda", "--name", "x", "--dry-run"]),
        run(
            "prepare DEVICE --name NAME --yes",
            &["prepare", "sda", "--name", "x", "--yes"],
        ),
        run("save NAME --dry-run", &["save", "Evening", "--dry-run"]),
        run("save NAME", &["save", "Evening"]),
        run("rename WHAT NAME", &["rename", "11112222", "x"]),
        run("default SESSION", &["default", "11112222"]),
        run("delete SESSION --yes", &["delete", "11112222", "--yes"]),
        run("verify", &["verify"]),
        run("report", &["report"]),
    ]
}

/// A world in which every key has something to say.
fn busy() -> Fake {
    let fake = Fake::start();
    fake.run(&["save", "--session", "11112222"]).worked();
    {
        let mut world = fake.world();
        world.system.running_session = SESSION.to_path();
        world.system.running_session_name = "Biofuel report".into();
        world.prepare_plan.destroys = false;
        let mut job = samples::job("save-session");
        job.blockers = vec![(42, "editor".into(), "/home".into())];
        world.jobs.insert("/org/ubuntu/Wendy/jobs/7".into(), job);
        let session = SESSION.to_path();
        let checked = CheckedSession {
            session,
            state: "complete".into(),
            damaged: 0,
        };
        world.facts.sessions = Some(vec![checked]);
    }
    fake
}

fn compare(heading: &str, printed: &[Value]) {
    let mut documented = examples(heading);
    documented.extend(examples("save NAME"));
    for value in printed {
        let kind = |example: &&Value| example.get("event") == value.get("event");
        let example = documented.iter().find(kind);
        let example = example.unwrap_or_else(|| panic!("{heading} does not show {value}"));
        same_shape(heading, example, value);
    }
}

/// The JSON values below a heading of the document.
fn examples(heading: &str) -> Vec<Value> {
    let document = fs::read_to_string(common::crate_file("JSON.md")).unwrap();
    let section = document
        .split("\n## ")
        .find(|section| section.lines().next() == Some(heading));
    let section = section.unwrap_or_else(|| panic!("JSON.md has no section {heading}"));
    let block = section
        .split("```json")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    Deserializer::from_str(block)
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

fn same_shape(place: &str, example: &Value, printed: &Value) {
    match (example, printed) {
        (Value::Object(example), Value::Object(printed)) => {
            let (expected, found): (Vec<_>, Vec<_>) =
                (example.keys().collect(), printed.keys().collect());
            assert_eq!(expected, found, "keys of {place}");
            example.keys().for_each(|key| {
                same_shape(&format!("{place}.{key}"), &example[key], &printed[key])
            });
        }
        (Value::Array(example), Value::Array(printed)) => {
            let Some(example) = example.first() else {
                return;
            };
            printed
                .iter()
                .for_each(|printed| same_shape(&format!("{place}[]"), example, printed));
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (example, printed) => {
            let same = std::mem::discriminant(example) == std::mem::discriminant(printed);
            assert!(
                same,
                "{place}: {example} is documented, {printed} is printed"
            );
        }
    }
}
